"""Names that are written right to left, or that say so themselves, move no number on a page."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from six_pages import PAGES, write_pages

from hpi_bt.report.bidi import readable

NAMES = {"override": "\u202ex", "arabic": "نفط", "hebrew": "תיק ישן"}
ISOLATED = re.compile("\u2068[^\u2068\u2069]*\u2069")
#: Text as a reader sees it: by block and line, whether each Latin letter or digit stands
#: to the right of all that is written before it.
OUT_OF_ORDER = """() => {
  const lines = new Map(), wrong = [], range = document.createRange();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const ids = new Map(), id = e => ids.get(e) ?? (ids.set(e, ids.size), ids.get(e));
  let seen = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode;
    let block = node.parentElement;
    if (block.closest("script, style")) continue;
    while (getComputedStyle(block).display === "inline") block = block.parentElement;
    const held = node.parentElement instanceof SVGElement ? node.parentElement : block;
    for (const found of node.data.matchAll(/[0-9A-Za-z\u0590-\u08ff]/g)) {
      range.setStart(node, found.index); range.setEnd(node, found.index + 1);
      const box = range.getBoundingClientRect();
      if (!box.width) continue;
      seen++;
      const letter = found[0] > "\u0590", edge = letter ? box.right - 1 : box.left;
      const key = `${id(held)} ${Math.round(box.bottom / 6)}`, before = lines.get(key);
      if (!letter && before > edge + 0.5) wrong.push(node.data.slice(0, 80));
      lines.set(key, Math.max(before ?? edge, edge));
    }
  }
  return [seen, wrong];
}"""


def test_names_are_set_apart_and_what_turns_the_direction_is_dropped():
    assert readable("IWM – 12 %") == "IWM – 12 %"
    assert readable("\u202eab\u2066c\u200f, 20 to 30") == "abc, 20 to 30"
    assert readable("נפט, 20 to 30: שמן") == "\u2068נפט\u2069, 20 to 30: \u2068שמן\u2069"
    assert readable("תיק 2 ישן: +0.5") == "\u2068תיק 2 ישן\u2069: +0.5"  # one name
    assert readable(readable("נפט, 20")) == readable("נפט, 20")


@given(st.text(st.characters() | st.sampled_from("אב گ\u202e\u2067 12,-")))
def test_outside_of_isolates_nothing_is_written_right_to_left(text):
    made = readable(text)
    classes = {unicodedata.bidirectional(c) for c in ISOLATED.sub("", made)}
    assert not classes & {*("R", "AL", "AN", "RLE", "LRE", "RLO", "LRO", "PDF"),
                          *("RLI", "LRI", "FSI", "PDI")}  # fmt: skip
    drop = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
    assert drop.sub("", made) == drop.sub("", text)


@pytest.fixture(scope="module", params=NAMES)
def written(request, tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp(request.param), NAMES[request.param])


@pytest.mark.parametrize("name", PAGES)
def test_what_is_read_from_left_to_right_stands_from_left_to_right(browser, written, name):
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.goto(written[name].as_uri())
    if name == "chart":
        page.wait_for_selector("#wait", state="detached", timeout=30_000)
    seen, wrong = page.evaluate(OUT_OF_ORDER)
    page.close()
    assert seen > 100
    assert wrong == []
