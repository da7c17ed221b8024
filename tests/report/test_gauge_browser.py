"""The gauge's page in a real browser, opened from disk."""

from __future__ import annotations

import re
from datetime import date

import pytest

from gauge_market import write_market
from hpi_bt.gauging import gauge_report


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = write_market(tmp_path_factory.mktemp("market"))
    return gauge_report(data_dir=folder, today=date(2024, 1, 2), out=folder / "gauge.html")


class Visit:
    """One opened page, with everything that it complained of or asked for."""

    def __init__(self, browser, report, scheme="light", width=1400):
        self.complaints, self.requests = [], []
        self.page = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=scheme)
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(report.page.as_uri())
        self.page.wait_for_selector("#wait", state="detached", timeout=60_000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.page.close()

    def calm(self):
        """Wait until two frames were painted."""
        self.page.evaluate(
            "new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"
        )

    def legend(self, number):
        self.calm()
        return self.page.locator(".legend").nth(number).inner_text().replace("\n", " ")

    def view(self):
        self.calm()
        return self.page.evaluate("__gauge.view()")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_draws_without_a_complaint_or_a_request(browser, report, scheme):
    with Visit(browser, report, scheme) as visit:
        assert visit.complaints == []
        assert all(url.startswith(("file:", "data:")) for url in visit.requests)
        assert visit.page.locator("#chart canvas").count() > 3
        legend = visit.legend(0)
        assert "Fri 2023-12-29" in legend
        assert f"{report.score} {report.latest.band}" in legend
        assert "SPY below its high" in visit.legend(1)
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground))) > 600) == (scheme == "light")


def test_bands_and_line_are_painted_in_their_colours(browser, report):
    """Colours are read from the canvas: the grounds of all four bands are there."""
    with Visit(browser, report) as visit:
        found = visit.page.evaluate(
            """() => { const shot = __gauge.chart.takeScreenshot(), c = shot.getContext("2d");
            const d = c.getImageData(0, 0, shot.width, shot.height).data, seen = {};
            for (let i = 0; i < d.length; i += 4) {
              const k = [d[i], d[i + 1], d[i + 2]].join(); seen[k] = (seen[k] || 0) + 1; }
            return Object.entries(seen).filter(([, k]) => k > 3000).map(([k]) => k); }"""
        )
        grounds = [tuple(map(int, rgb.split(","))) for rgb in found]
        tinted = [g for g in grounds if 8 < max(g) - min(g) < 40 and min(g) > 200]
        assert len(tinted) >= 4


def test_the_legend_follows_the_cursor(browser, report):
    with Visit(browser, report) as visit:
        box = visit.page.locator("#chart").bounding_box()
        visit.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 100)
        legend = visit.legend(0)
        day = re.search(r"\d{4}-\d\d-\d\d", legend)[0]
        score = report.result.score.dropna()
        assert day in [f"{d:%Y-%m-%d}" for d in score.index[50:-50]]
        assert f"{score[day]:.0f} {report.result.band[day]}" in legend


def test_a_component_is_laid_over_the_history_and_taken_off(browser, report):
    with Visit(browser, report) as visit:
        button = visit.page.locator("#overlays button", has_text="Yield curve")
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        last = report.latest.components.loc["curve", "score"]
        assert f"Yield curve {last:.1f}" in visit.legend(0)
        button.click()
        assert "Yield curve" not in visit.legend(0)


def test_ranges_and_rows_move_the_view(browser, report):
    with Visit(browser, report) as visit:
        whole = visit.view()
        visit.page.locator("#ranges button", has_text="1 year").click()
        year = visit.view()
        assert year["to"] - year["from"] == pytest.approx(258, abs=3)
        visit.page.locator("#ranges button", has_text="All").click()
        assert visit.view()["from"] == pytest.approx(whole["from"], abs=1)
        row = visit.page.locator("tr[data-day]").first
        day = row.get_attribute("data-day")
        row.click()
        seen, days = visit.view(), report.result.score.dropna().index
        place = days.get_loc(day)
        assert seen["from"] == pytest.approx(place - 160, abs=1)
        row.press("Enter")
        assert visit.complaints == []


def test_a_narrower_window_keeps_the_view(browser, report):
    with Visit(browser, report) as visit:
        whole = visit.view()
        for width in (600, 1500):
            visit.page.set_viewport_size({"width": width, "height": 900})
            for _ in range(3):
                visit.calm()
            box = visit.page.locator("#chart").bounding_box()
            drawn = visit.page.evaluate("__gauge.chart.timeScale().width()")
            assert box["width"] - 80 < drawn < box["width"]
            seen = visit.view()
            assert seen["from"] == pytest.approx(whole["from"], abs=1)
            assert seen["to"] == pytest.approx(whole["to"], abs=1)
        assert visit.complaints == []


def test_the_legend_says_how_many_components_and_which_came(browser, report):
    """The market's components all begin on one day but the last: nothing changes after."""
    with Visit(browser, report) as visit:
        assert "4 of 4 components" in visit.legend(0)
        visit.page.evaluate("meta.changes.push([300, 'without Yield curve'])")
        visit.page.click("#theme")  # painted anew
        box = visit.page.locator("#chart").bounding_box()
        x = visit.page.evaluate("__gauge.chart.timeScale().logicalToCoordinate(300)")
        visit.page.mouse.move(box["x"] + x, box["y"] + 100)
        assert "without Yield curve" in visit.legend(0)
        visit.page.mouse.move(box["x"] + x + 60, box["y"] + 100)
        assert "without" not in visit.legend(0)
        assert visit.complaints == []


def test_the_theme_is_switched_and_kept(browser, report):
    with Visit(browser, report) as visit:
        visit.page.click("#theme")
        assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark"
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert sum(map(int, re.findall(r"\d+", ground))) < 120
        visit.page.click("#theme")
        assert visit.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_nothing_is_cut_off_on_a_narrow_screen(browser, report):
    with Visit(browser, report, width=420) as visit:
        wide = visit.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 420
        assert visit.complaints == []
