"""`results/index.html`: what it lists, what it leaves out, and how it sorts in a browser."""

import json
import os
import shutil
import threading
import time
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpi_bt.report.bidi import readable
from hpi_bt.report.index import COLUMNS, INDEX, _cells, index_page, update_index
from hpi_bt.report.listing import Entry, read_results
from hpi_bt.report.table import UNKNOWN, number_cell
from small_runs import demo_run

HOSTILE = "</script><img src=x onerror=alert(1)> \"'` 😀 שלום \u202e {{7*7}}"
SUMMARY = {
    **{"name": "opening", "symbol": "IWM", "strategy": "OpeningWindow", "engine": "fast"},
    **{"demo": "", "made_at": "2026-11-21T04:05:06+00:00", "first": "2024-01-02 09:31:00-05:00"},
    **{"last": "2024-03-27 16:00:00-04:00", "total_return": 0.0123, "cagr": 0.05, "sharpe": 0.5},
    **{"max_drawdown": -0.06, "trades": 1183, "win_rate": 0.35, "exposure": 0.2},
    **{"remarks": ["warning: few trades", "crosses: 3"], "notes": [], "alerts": 7},
}
PAGES = ("tearsheet.html", "chart.html")


def put(parent, folder, files=PAGES, summary=None, **changes):
    """Lay down a result folder."""
    made = parent / folder
    made.mkdir(parents=True)
    text = json.dumps(SUMMARY | changes) if summary is None else summary
    (made / "summary.json").write_text(text, "utf-8")
    for file in files:
        (made / file).write_text(f"{folder} {file}", "utf-8")
    return made


class Rows(HTMLParser):
    """The body rows of the page: a list of cells each, and the links of each."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.links, self._in, self._body = [], [], False, False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._body |= tag == "tbody"
        if not self._body:
            return
        if tag == "tr":
            self.rows.append([])
            self.links.append([])
        self._in |= tag in ("td", "th")
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "a":
            self.links[-1].append(dict(attrs)["href"])

    def handle_endtag(self, tag):
        self._body &= tag != "tbody"
        self._in &= tag not in ("td", "th")

    def handle_data(self, data):
        if self._in and self._body:
            self.rows[-1][-1] += f" {data.strip()}" if data.strip() else ""


def rows_of(parent):
    found = Rows((parent / INDEX).read_text("utf-8"))
    return [[cell.strip() for cell in row] for row in found.rows], found.links


def test_a_run_is_listed_with_its_figures_and_links(tmp_path):
    put(tmp_path, "opening-20261121T040506-aaaaaaaa")
    assert update_index(tmp_path) == ""
    (row,), (links,) = rows_of(tmp_path)
    assert row == [
        "opening tear sheet chart folder IWM · OpeningWindow 2024-01-02 to 2024-03-27",
        "IWM", "OpeningWindow fast", "2026-11-21 04:05",
        "2024-01-02 to 2024-03-27", "+1.23%", "+5.00%", "+0.50", "−6.00%", "1,183", "35.0%",
        "20.0%", "7", "1",
    ]  # fmt: skip
    assert len(row) == len(COLUMNS)
    base = "opening-20261121T040506-aaaaaaaa"
    assert links == [f"{base}/tearsheet.html", *(f"{base}/{page}" for page in PAGES), f"{base}/"]


def test_figures_of_a_year_made_of_a_few_sessions_are_unknown():
    def shown(**summary):
        entry = Entry("f", "run", SUMMARY | summary, datetime(2024, 1, 1, tzinfo=UTC), ())
        heads = [column.label for column in COLUMNS][1:]
        cells = dict(zip(heads, _cells(entry), strict=True))
        return [cells[name][0].text for name in ("Return", "CAGR", "Sharpe")]

    assert shown(sessions=20) == ["+1.23%", UNKNOWN, UNKNOWN]
    assert shown(sessions=21) == shown() == ["+1.23%", "+5.00%", "+0.50"]


def test_kinds_are_told_by_what_the_summary_says_or_the_folder_holds(tmp_path):
    figures = {"total_return": 0.4, "sharpe": 2.0}
    put(tmp_path, "s-sweep-20261121T050000-aaaaaaaa", ("heatmap.html",), kind="sweep",
        made_at=None, points=1200, figures=figures, demo="simulated")  # fmt: skip
    put(tmp_path, "w-20261121T040000-aaaaaaaa", (*PAGES, "windows.csv"))
    (tmp_path / "compare-a-b-20261121T030000").mkdir()
    (tmp_path / "compare-a-b-20261121T030000" / "comparison.html").write_text("")
    put(tmp_path, "pooled-20261121T020000-aaaaaaaa", ("study.html",), made_at="", kind="study",
        symbol=None, symbols=["NIFTY", "SBIN"])  # fmt: skip
    names = sorted(p.name for p in tmp_path.iterdir())
    entries, skipped = read_results(tmp_path, names)
    assert [e.kind for e in entries] == ["sweep", "walk-forward", "comparison", "study"]
    assert skipped == []
    update_index(tmp_path)
    shown, links = rows_of(tmp_path)
    assert shown[0][0].startswith("opening sweep DEMO heat map folder best of 1,200, in sample IWM")
    assert (shown[0][5], shown[0][7]) == ("+40.00%", "+2.00")
    assert shown[2][0] == "compare-a-b comparison comparison folder made 2026-11-21"
    assert shown[2][5:] == ["–"] * 8 + ["0"]
    assert shown[3][1] == "NIFTY, SBIN"
    assert links[3][0] == "pooled-20261121T020000-aaaaaaaa/study.html"


def test_the_newest_result_stands_first_whatever_tells_its_time(tmp_path):
    put(tmp_path, "a-20200101T000000-aaaaaaaa", made_at="2026-01-02T00:00:00+02:00")  # the 1st, 22h
    put(tmp_path, "b-20260102T000000-aaaaaaaa", made_at="yesterday")
    put(tmp_path, "c", made_at=None)
    os.utime(tmp_path / "c", (1767139200, 1767139200))  # 2025-12-31
    entries, _ = read_results(tmp_path, ["a-20200101T000000-aaaaaaaa", "b-20260102T000000-aaaaaaaa",
                                         "c"])  # fmt: skip
    assert [e.folder[0] for e in entries] == ["b", "a", "c"]
    assert entries[1].made.isoformat() == "2026-01-01T22:00:00+00:00"
    assert entries[2].made.isoformat() == "2025-12-31T00:00:00+00:00"


@pytest.mark.parametrize(
    ("summary", "files", "reason"),
    [
        ("{", PAGES, "summary.json is damaged (no JSON)"),
        ("[" * 100_000, PAGES, "summary.json is damaged (no JSON)"),
        ("[1]", PAGES, "summary.json is damaged (no mapping)"),
        ("{}", PAGES, "summary.json is missing or empty"),
        ('{"name": "x"}', ("notes.txt",), "no result of hpi_bt"),
    ],
)
def test_a_damaged_or_foreign_folder_is_named_in_small_print(tmp_path, summary, files, reason):
    put(tmp_path, "good-20261121T040506-aaaaaaaa")
    put(tmp_path, "bad", files, summary)
    entries, skipped = read_results(tmp_path, ["bad", "good-20261121T040506-aaaaaaaa"])
    assert [e.folder[:4] for e in entries] == ["good"]
    assert skipped == [("bad", reason)]
    page = index_page(entries, skipped)
    assert "1 folder is not listed" in page
    assert f"bad: {reason}" in page


def test_hidden_folders_and_files_are_passed_over_in_silence(tmp_path):
    put(tmp_path, ".partial-1-x")
    (tmp_path / "notes.txt").write_text("mine")
    update_index(tmp_path)
    page = (tmp_path / INDEX).read_text("utf-8")
    assert "No results yet" in page
    assert "not listed" not in page
    assert sorted(p.name for p in tmp_path.iterdir()) == [".partial-1-x", INDEX, "notes.txt"]


texts = st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(10**400),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=3,
)
summaries = st.dictionaries(
    st.sampled_from([*SUMMARY, "kind", "points", "figures"]), values, min_size=1
)


@settings(max_examples=60, deadline=None)
@given(st.lists(summaries, max_size=3))
def test_whatever_summaries_hold_every_result_gets_a_whole_row(tmp_path_factory, made):
    parent = tmp_path_factory.mktemp("results")
    for i, summary in enumerate(made):
        put(parent, f"r{i}", summary=json.dumps(summary))
    assert update_index(parent) == ""
    rows, _ = rows_of(parent)
    assert [len(row) for row in rows] == [len(COLUMNS)] * len(made)
    assert all(cell for row in rows for cell in row)
    shutil.rmtree(parent)


def test_a_minus_is_as_wide_as_a_plus_and_nothing_is_minus_zero():
    assert number_cell(-0.0621, "{:.2%}", signed=True)[:3] == ("−6.21%", "-0.0621", "bad")
    assert number_cell(0.5, signed=True)[:3] == ("+0.50", "0.5", "good")
    assert number_cell(-0.001, "{:.2f}", signed=True)[:3] == ("0.00", "-0.001", "")
    assert number_cell(float("nan")) == number_cell(None) == ("–", "", "", "", "", "")


def test_an_index_of_somebody_else_is_left_alone(tmp_path, caplog):
    put(tmp_path, "good-20261121T040506-aaaaaaaa")
    (tmp_path / INDEX).write_text("<title>my own site</title>")
    said = update_index(tmp_path)
    assert said.endswith("is no index of hpi_bt and was left alone; move it to get one")
    assert (tmp_path / INDEX).read_text() == "<title>my own site</title>"
    assert caplog.messages == [said]


def test_an_index_that_cannot_be_written_is_a_remark_and_no_failure(tmp_path, caplog):
    (tmp_path / INDEX).mkdir()
    said = update_index(tmp_path)
    assert INDEX in said
    assert "could not be written (IsADirectoryError" in said
    assert caplog.messages == [said]
    assert [p.name for p in tmp_path.iterdir()] == [INDEX]


def test_an_index_is_not_made_where_it_is_only_to_be_kept(tmp_path):
    assert update_index(tmp_path, make=False) == ""
    assert list(tmp_path.iterdir()) == []


def test_a_run_lists_itself():
    folder = demo_run().folder
    rows, links = rows_of(folder.parent)
    (at,) = [i for i, link in enumerate(links) if link[-1] == f"{folder.name}/"]
    assert rows[at][0].startswith("demo DEMO tear sheet chart folder")
    assert rows[at][9] == f"{demo_run().summary['trades']:,}"


def test_of_runs_that_end_together_the_index_misses_none(tmp_path):
    update_index(tmp_path)
    start = threading.Barrier(8)

    def finish(i):
        start.wait()
        for j in range(3):
            put(tmp_path, f".partial-{i}-{j}").rename(tmp_path / f"run-{i}-{j}")
            assert update_index(tmp_path) == ""

    runs = [threading.Thread(target=finish, args=(i,)) for i in range(8)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    rows, links = rows_of(tmp_path)
    assert len(rows) == 24
    assert {link[-1] for link in links} == {f"run-{i}-{j}/" for i in range(8) for j in range(3)}
    assert sum(p.name.startswith(".") for p in tmp_path.iterdir()) == 0


def test_two_thousand_results_are_listed_in_a_second_or_two(tmp_path):
    text = json.dumps(SUMMARY)
    for i in range(2000):
        folder = tmp_path / f"run-{i}"
        folder.mkdir()
        (folder / "summary.json").write_text(text)
        (folder / "tearsheet.html").write_text("")
    begun = time.perf_counter()
    assert update_index(tmp_path) == ""
    assert time.perf_counter() - begun < 5.0  # 0.5 s on an idle machine
    assert (tmp_path / INDEX).stat().st_size < 4_000_000


@pytest.fixture
def results(tmp_path):
    """Six results, two of which lack a Sharpe."""
    parent = tmp_path / "res #1 %41"
    sharpes = {"a2": 0.5, "a10": -1.0, "b": None, "c": 12.0, "d": 0.5}
    for i, (name, sharpe) in enumerate(sharpes.items()):
        put(parent, f"{name}-20261121T04000{i}-aaaaaaaa", name=name, sharpe=sharpe, symbol="IWM",
            made_at=None)  # fmt: skip
    put(parent, f"x{HOSTILE.replace('/', '')}-20261121T040009-aaaaaaaa", ("heatmap.html",),
        kind="sweep", name=HOSTILE, symbol=HOSTILE, strategy=HOSTILE, made_at=None,
        demo=HOSTILE, remarks=[f"warning: {HOSTILE}"], figures={})  # fmt: skip
    assert update_index(parent) == ""
    return parent


@pytest.fixture
def page(browser, results):
    complaints, requests = [], []
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    page.on("console", lambda m: complaints.append(m.text))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("dialog", lambda d: (complaints.append(d.message), d.dismiss()))
    page.on("request", lambda r: requests.append(r.url))
    page.goto((results / INDEX).as_uri())
    assert page.evaluate("window.__ready") == 1
    yield page
    assert complaints == []
    assert [u for u in requests if not u.startswith(("file:", "data:"))] == []
    page.close()


def names(page):
    script = "els => els.filter(e => !e.closest('tr').hidden).map(e => e.textContent)"
    return [name[:3] for name in page.eval_on_selector_all(".name", script)]


def head(page, label):
    return page.get_by_role("columnheader", name=label, exact=True)


def test_columns_sort_by_value_both_ways_with_the_unknown_last(page):
    assert names(page) == [HOSTILE[:3], "d", "c", "b", "a10", "a2"]
    assert head(page, "Made (UTC)").get_attribute("aria-sort") == "descending"
    head(page, "Sharpe").get_by_role("button").click()
    # d stood above a2 before, and they are equal: it still does; no Sharpe comes last
    assert names(page) == ["c", "d", "a2", "a10", HOSTILE[:3], "b"]
    assert head(page, "Sharpe").get_attribute("aria-sort") == "descending"
    assert head(page, "Made (UTC)").get_attribute("aria-sort") == "none"
    head(page, "Sharpe").get_by_role("button").click()
    assert names(page) == ["a10", "d", "a2", "c", HOSTILE[:3], "b"]
    assert head(page, "Sharpe").get_attribute("aria-sort") == "ascending"


def test_the_keyboard_sorts_names_with_their_numbers_in_order(page):
    head(page, "Result").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert [n for n in names(page) if n != HOSTILE[:3]] == ["a2", "a10", "b", "c", "d"]
    page.keyboard.press("Space")
    assert [n for n in names(page) if n != HOSTILE[:3]] == ["d", "c", "b", "a10", "a2"]


def test_text_and_kind_filter_together(page):
    page.get_by_role("searchbox").fill("iWm  A1")
    assert names(page) == ["a10"]
    assert page.locator("#count").text_content() == "1 of 6"
    page.get_by_text("Sweeps").click()
    assert names(page) == []
    assert page.locator("#nothing").is_visible()
    page.get_by_role("searchbox").fill("demo")
    assert names(page) == [HOSTILE[:3]]
    page.get_by_role("searchbox").fill("")
    page.get_by_text("All", exact=False).first.click()
    assert len(names(page)) == 6
    assert page.locator("#count").text_content() == "6 in all"


def test_every_link_leads_to_a_file_that_is_there(page, results):
    links = page.eval_on_selector_all(".sortable a", "els => els.map(e => e.href)")
    assert len(links) == 5 * 4 + 3
    for link in links:
        assert Path(unquote(link.removeprefix("file://"))).exists(), link
    page.locator(".sortable a", has_text="heat map").click()
    assert page.locator("body").text_content().endswith("heatmap.html")


def test_a_hostile_name_is_only_text(page):
    assert readable(HOSTILE) in page.eval_on_selector_all(
        ".name", "els => els.map(e => e.textContent)"
    )
    assert page.locator("img").count() == 0


def test_nothing_of_demo_is_cut_off(page, results):
    pill = page.locator(".made-up")
    box, cell = pill.bounding_box(), pill.locator("xpath=ancestor::th").bounding_box()
    assert box["x"] + box["width"] <= cell["x"] + cell["width"]


@pytest.mark.parametrize("width", [1400, 420])
def test_a_long_name_is_shown_whole(browser, tmp_path, width):
    name = "a-strategy-with-a-long-name against another-strategy-of-the-same-family, filtered"
    put(tmp_path, "compare-20261121T040000-aaaaaaaa", ("comparison.html",), name=name,
        kind="comparison")  # fmt: skip
    assert update_index(tmp_path) == ""
    opened = browser.new_page(viewport={"width": width, "height": 800})
    opened.goto((tmp_path / INDEX).as_uri())
    assert opened.evaluate("""() => { const e = document.querySelector(".name"),
      box = e.getBoundingClientRect(), cell = e.closest("th").getBoundingClientRect();
      return e.textContent.length > 60 && e.scrollWidth <= e.clientWidth
        && box.right <= cell.right && box.bottom <= cell.bottom && cell.height < 200; }""")
    opened.close()
