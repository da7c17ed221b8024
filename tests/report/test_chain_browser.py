"""The chain page in a real browser, opened from disk."""

import numpy as np
import pytest

from hpi_bt.chains import chain_report
from small_chains import contracts, in_memory


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    rows = contracts()
    near = np.where(rows["right"] == "C", 102.0, 98.0)
    held = np.round(400.0 * np.exp(-(((rows["strike"] - near) / 0.8) ** 2)))
    chain = in_memory(rows.assign(open_interest=held), symbol="SPX")
    return chain_report(chain, out=tmp_path_factory.mktemp("page") / "chain.html")


@pytest.fixture(params=["light", "dark"])
def opened(request, browser, report):
    page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme=request.param)
    complaints, requests = [], []
    page.on("console", lambda m: complaints.append(m.text))
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("request", lambda r: requests.append(r.url))
    page.goto(report.page.as_uri())
    assert page.evaluate("window.__ready") == 1
    yield page, request.param
    assert complaints == []
    assert {url.split(":")[0] for url in requests} == {"file"}
    page.close()


def read_out(page, key):
    return [c.inner_text() for c in page.query_selector_all(f"#read-{key} b")]


def point(page, key, share):
    page.query_selector(f"[data-key={key}] svg").scroll_into_view_if_needed()
    box = page.query_selector(f"[data-key={key}] svg").bounding_box()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + 0.6 * box["height"])


def test_pointing_reads_off_both_maps_and_leaving_shows_spot(opened, report):
    page, _ = opened
    at_spot = read_out(page, "impulse")
    assert at_spot[0] == "100"
    point(page, "impulse", 0.8)
    told = read_out(page, "impulse")
    place = float(told[0])
    curve = report.flow.curve
    nearest = int(np.argmin(np.abs(curve.price - place)))
    assert told[2] == report.money(float(curve.impulse_usd[nearest]))
    # the page is 1120 wide within: 70 to 1102 pixels are the prices drawn
    expected = np.interp(0.8 * 1120, [70, 1102], [curve.price[0], curve.price[-1]])
    assert place == pytest.approx(expected, abs=2.1 * (curve.price[1] - curve.price[0]))
    assert read_out(page, "kernel")[0] == told[0]
    assert page.get_attribute("[data-key=kernel] .cursor", "visibility") == "visible"
    page.mouse.move(5, 5)
    assert read_out(page, "impulse") == at_spot


def test_arrow_keys_walk_along_the_prices(opened, report):
    page, _ = opened
    page.focus("[data-key=impulse] svg")
    page.keyboard.press("ArrowRight")
    step = report.flow.curve.price[1] - report.flow.curve.price[0]
    assert float(read_out(page, "impulse")[0]) == pytest.approx(100.0 + step, abs=0.006)
    page.keyboard.press("Escape")
    assert read_out(page, "impulse")[0] == "100"


def test_tabs_show_one_exposure_at_a_time(opened):
    page, _ = opened
    for name in ("vex", "cex", "gex"):
        page.click(f"label[for=tab-{name}]")
        shown = [n for n in ("gex", "vex", "cex") if page.is_visible(f".panel.{n}")]
        assert shown == [name]


def test_nothing_runs_off_the_page_and_text_stands_out(opened):
    page, scheme = opened
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 1300
    ink, card = page.evaluate(
        """['body', '.card'].map((s, i) => {
        const style = getComputedStyle(document.querySelector(s));
        return (i ? style.backgroundColor : style.color).match(/\\d+/g).slice(0, 3).map(Number)})"""
    )
    assert (sum(ink) > sum(card)) == (scheme == "dark")
    assert abs(sum(ink) - sum(card)) > 400


def test_labels_above_the_impulse_do_not_cover_each_other(opened):
    page, _ = opened
    boxes = [t.bounding_box() for t in page.query_selector_all("[data-key=impulse] text.name")]
    assert len(boxes) >= 2
    for i, one in enumerate(boxes):
        for other in boxes[i + 1 :]:
            apart = (
                one["x"] + one["width"] <= other["x"] + 1
                or other["x"] + other["width"] <= one["x"] + 1
                or abs(one["y"] - other["y"]) > 8
            )
            assert apart


def test_a_narrow_screen_scrolls_drawings_not_the_page(browser, report):
    page = browser.new_page(viewport={"width": 420, "height": 800})
    page.goto(report.page.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.close()


def test_a_narrow_screen_opens_every_drawing_on_spot(browser, report):
    page = browser.new_page(viewport={"width": 420, "height": 800})
    page.goto(report.page.as_uri())
    for key in ("impulse", "kernel"):
        left, box, drawn = page.evaluate(
            f"""(() => {{ const b = document.querySelector("[data-key={key}]"),
                s = b.querySelector("svg"), p = window.__chain.plots.find(p => p.key === "{key}"),
                r = s.getBoundingClientRect();
                return [r.left + p.told.x[p.told.start] * r.width / s.viewBox.baseVal.width
                    - b.getBoundingClientRect().left, b.clientWidth, b.scrollWidth] }})()"""
        )
        assert drawn > 1.5 * box  # it scrolls
        assert left == pytest.approx(0.5 * box, abs=2.0)
    assert page.evaluate("scrollX") == 0
    page.close()
