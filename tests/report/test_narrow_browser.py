"""A screen of 420 x 900: every page shows its answer without scrolling sideways."""

import pytest
from six_pages import PAGES, write_pages

WIDTH = 420
#: What a reader came for, by page: latest values, verdicts, p, and what a run made.
ANSWERS = {
    "chart": [".legend [data-column=close]", ".legend [data-column='ES.score']", ".study .short"],
    "study": [".study .signal td.words", ".study .signal td:nth-child(8)", ".study .entry p",
              ".study .line td:nth-child(6)", ".study .entry svg.narrow text"],
    "comparison": [".verdict p", "#sharpe .told", "#sharpe td:nth-child(4)", ".legend output"],
    "scan": ["small.narrow", ".sortable td:nth-child(5)", ".sortable td:nth-child(3)"],
    "index": [".name", ".sortable td:nth-child(6)", ".sortable td:nth-child(8)"],
    "tearsheet": [".side td:nth-child(2)"],
}  # fmt: skip
BESIDE = f"""places => places.flatMap(place => {{
  const found = [...document.querySelectorAll(place)], wrong = [];
  if (!found.length) wrong.push(place + ": none");
  for (const e of found) {{
    const box = e.getBoundingClientRect();
    if (!(box.width > 0 && box.left >= 0 && box.right <= {WIDTH}))
      wrong.push(`${{place}}: ${{e.textContent.trim().slice(0, 30)}} ${{box.left}} ${{box.right}}`);
  }}
  return wrong;
}})"""
SMALL = """() => [...document.querySelectorAll(".entry svg text")]
  .filter(e => e.getBoundingClientRect().width).map(e => e.getBoundingClientRect().height)"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_pages(tmp_path_factory.mktemp("narrow"), "ES")


@pytest.fixture
def opened(browser, written, request):
    page = browser.new_page(viewport={"width": WIDTH, "height": 900})
    page.goto(written[request.param].as_uri())
    if request.param == "chart":
        page.wait_for_selector("#wait", state="detached", timeout=30_000)
    yield request.param, page
    page.close()


@pytest.mark.parametrize("opened", PAGES, indirect=True)
def test_the_answer_lies_on_the_screen(opened):
    name, page = opened
    assert page.evaluate(BESIDE, ANSWERS[name]) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH


@pytest.mark.parametrize("opened", ["study"], indirect=True)
def test_words_of_a_drawing_can_be_read(opened):
    _, page = opened
    heights = page.evaluate(SMALL)
    assert len(heights) >= 4
    assert min(heights) > 9


@pytest.mark.parametrize("opened", ["scan"], indirect=True)
def test_what_has_no_column_of_its_own_stands_under_the_name(opened):
    _, page = opened
    assert page.locator(".sortable tbody th").first.locator("small.narrow").all_text_contents() == [
        "Osc score", "at 100.00"
    ]  # fmt: skip
    page.set_viewport_size({"width": 1200, "height": 900})
    assert not page.locator(".sortable tbody th small.narrow").first.is_visible()
    assert page.locator(".sortable tbody td:nth-child(2)").first.is_visible()
