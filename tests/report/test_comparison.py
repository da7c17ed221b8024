import io
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from hpi_bt import compare
from hpi_bt.report.bidi import readable
from hpi_bt.report.compared import difference_text, value_text, with_adjusted
from hpi_bt.report.comparison import _strips, write_comparison
from hpi_bt.report.verdicts import effect_rows, p_text, points
from small_folders import make_run

HOSTILE = "</script><img src=x onerror=alert(1)> \"'` 😀 שלום \u202e {{7*7}} <!--"


def runs_in(folder, *names, n=60, **summary):
    rng = np.random.default_rng(0)
    made = []
    for i, name in enumerate(names):
        returns = rng.normal(0.001, 0.01, n + i)
        made.append(make_run(folder, name, returns, folder=f"run{i}", **summary))
    return made


def effect(vetoed=40):
    """Accepted against vetoed entries as `filter_effect` gives them."""
    known = vetoed > 8
    nan = math.nan
    row = {
        **{"n_accepted": 50, "mean_accepted": 0.0012, "n_vetoed": vetoed, "mean_vetoed": -0.0004},
        **{"difference": 0.0016, "low": 0.0003 if known else nan, "high": 0.0029 if known else nan},
        **{"p_value": 0.012 if known else nan, "detectable": 0.0019, "mean_block": 1.0},
        "note": "" if known else "3 sessions in the vetoed group, 8 needed",
    }
    rows = {"over 1 bar": row, "over its own trade": row | {"p_value": 0.4 if known else nan}}
    return with_adjusted(pd.DataFrame.from_dict(rows, orient="index"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    return compare(runs_in(folder, "base", "other", "third"), results=folder, bootstrap=199)


def page_of(comparison, path, **changed):
    other = type(comparison)(**{**vars(comparison), **changed})
    write_comparison(path / "comparison.html", other, [])
    return (path / "comparison.html").read_text("utf-8")


def body_of(page):
    """What a reader sees: no scripts, no styles, no tags."""
    bare = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", bare))


@pytest.mark.parametrize(
    ("key", "change", "text"),
    [
        *(("total_return", 0.0123, "+1.23 pp"), ("total_return", -0.5, "−50.00 pp")),
        *(("total_return", 0.000004, "0.00 pp"), ("total_return", -0.000004, "0.00 pp")),
        *(("sharpe", -1.234, "−1.23"), ("costs", 12345.6, "+12,345.60")),
        *(("trades", -3.0, "−3"), ("sharpe", math.nan, "–"), ("sharpe", math.inf, "–")),
    ],
)
def test_differences_carry_their_sign_and_percentages_are_points(key, change, text):
    assert difference_text(key, change) == text


def test_values_p_values_and_points_as_text():
    assert value_text("max_drawdown", -0.0345) == "−3.45%"
    assert value_text("sharpe", math.nan) == "–"
    assert p_text(0.0004, 0.0004) == "p under 0.001"
    assert p_text(0.0412, 0.0824) == "p 0.041, allowing for all tests here 0.082"
    assert p_text(0.512, 1.0) == "p 0.51, allowing for all tests here 1.00"
    assert (points(-0.00123), points(math.nan)) == ("−12.3 bp", "–")
    assert effect_rows(effect())[0] == [
        *("over 1 bar", "50", "40", "+12.0 bp", "−4.0 bp", "+16.0 bp", "+3.0 to +29.0 bp", "0.012"),
    ]
    assert effect_rows(effect(3))[1][-2:] == ["–", "3 sessions in the vetoed group, 8 needed"]


def test_intervals_share_one_axis_on_which_zero_lies():
    rows = pd.DataFrame(
        {"low": [-1.0, 1.0], "difference": [0.0, 2.0], "high": [1.0, 3.0], "note": "",
         "p_value": [0.9, 0.01], "p_adjusted": [0.9, 0.02]},
    )  # fmt: skip
    first, second = _strips([(str(i), [], row) for i, row in rows.iterrows()])
    # -1 to 3 with 4 % of room on each side: 1 is a quarter of 100/1.08
    assert first.low == pytest.approx(4 / 1.08, abs=0.01)
    assert first.high - first.low == pytest.approx(50 / 1.08, abs=0.02)
    assert first.zero == second.zero == first.mid
    assert second.high == pytest.approx(104 / 1.08, abs=0.01)
    assert (first.sure, second.sure) == (False, True)
    assert second.notes == ["p 0.010", "all tests: 0.020"]


def test_the_page_says_what_the_comparison_found(made):
    body = body_of(made.page.read_text("utf-8"))
    for sentence in made.words:
        assert sentence in body
    assert "None: configs, data and strategy files are the same." in body
    assert "60 sessions in common" in body
    assert "nan" not in body.lower()
    assert "DEMO" not in body


def test_runs_beside_the_page_are_linked_and_others_are_not(tmp_path):
    inside = make_run(tmp_path, "in", [0.1] * 3 + [0.0], folder="a #1?%")
    outside = make_run(tmp_path / "elsewhere", "out", [0.2] * 3 + [0.0])
    made = compare([inside, outside], results=tmp_path)
    links = re.findall(r'href="(\.\./[^"]+)"', made.page.read_text("utf-8"))
    assert links == ["../a%20%231%3F%25/tearsheet.html", "../a%20%231%3F%25/chart.html"]


def test_demo_and_warnings_stand_at_the_top(made, tmp_path):
    page = page_of(made, tmp_path, demo="simulated, seed 3", warnings=("the data have changed",))
    body = body_of(page)
    assert body.index("simulated, seed 3") < body.index(made.words[0])
    assert body.index("the data have changed") < body.index(made.words[0])


@pytest.mark.parametrize("vetoed", [0, 3, 40])
def test_the_filters_table_is_there_where_entries_are_and_never_says_nan(made, tmp_path, vetoed):
    table = effect(vetoed)
    if not vetoed:
        table["mean_vetoed"] = table["difference"] = math.nan
    page = page_of(made, tmp_path, filter_effect=table, entries=pd.DataFrame({"bar": [1]}))
    assert 'id="effect"' in page
    assert "nan" not in body_of(page).lower()
    assert "nan%" not in page
    none = page_of(made, tmp_path, filter_effect=table, entries=pd.DataFrame({"bar": []}))
    assert 'id="effect"' not in none


def test_the_same_comparison_gives_the_same_page(made, tmp_path):
    assert page_of(made, tmp_path) == page_of(made, tmp_path)


class Visit:
    """One opened page, with everything that it complained of or asked for."""

    def __init__(self, browser, path, scheme="light"):
        self.complaints, self.requests = [], []
        self.page = browser.new_page(viewport={"width": 1200, "height": 1000}, color_scheme=scheme)
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", lambda d: (self.complaints.append(d.message), d.dismiss()))
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("body[data-ready]", timeout=30_000)

    def __enter__(self):
        return self

    def __exit__(self, *failed):
        self.page.close()
        if not any(failed):
            assert self.complaints == []
            assert [u for u in self.requests if not u.startswith(("file:", "data:"))] == []

    def legend(self, part):
        script = (
            f"() => [...document.querySelectorAll('[data-part={part}] output')]"
            ".map(e => e.textContent)"
        )
        return self.page.evaluate(script)

    def calm(self):
        self.page.evaluate(
            "new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"
        )

    def point(self, session):
        x = self.page.evaluate("i => __compared.chart.timeScale().logicalToCoordinate(i)", session)
        box = self.page.locator("#chart").bounding_box()
        self.page.mouse.move(box["x"] + x, box["y"] + 120)
        self.calm()


@pytest.mark.parametrize("session", [0, 17, 59])
def test_the_legend_says_what_the_equity_was_under_the_cursor(browser, made, session):
    with Visit(browser, made.page) as visit:
        visit.point(session)
        equity = made.equity.to_numpy()
        peak = np.maximum(np.maximum.accumulate(equity, axis=0), 1.0)
        fall = 100 * (equity / peak - 1.0)
        assert visit.legend("equity") == [f"{v:.4f}" for v in equity[session]]
        seen = [float(t.removesuffix(" %").replace("−", "-")) for t in visit.legend("drawdown")]
        assert seen == pytest.approx(fall[session].tolist(), abs=0.0051)
        day = visit.page.locator("[data-part=equity] time").text_content()
        assert day == f"{made.equity.index[session]:%Y-%m-%d}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_run_can_be_hidden_and_shown_again(browser, made, scheme):
    with Visit(browser, made.page, scheme) as visit:
        visit.calm()
        stage = visit.page.locator("#stage")
        before = stage.screenshot()
        visit.page.locator("[data-part=equity] button").nth(1).click()
        visit.page.mouse.move(0, 0)
        visit.calm()
        assert stage.screenshot() != before
        pressed = "() => [...document.querySelectorAll('.legend button')].map(e => e.ariaPressed)"
        assert visit.page.evaluate(pressed) == ["true", "false", "true"] * 2
        visit.page.locator("[data-part=drawdown] button").nth(1).click()
        assert visit.page.evaluate(pressed) == ["true"] * 6


def test_the_legends_stand_in_their_panes(browser, made):
    with Visit(browser, made.page) as visit:
        visit.calm()
        box = "p.getHTMLElement().getBoundingClientRect().top"
        script = f"() => __compared.chart.panes().map(p => {box})"
        tops = visit.page.evaluate(script)
        boxes = [
            visit.page.locator(f"[data-part={p}]").bounding_box() for p in ("equity", "drawdown")
        ]
        assert [b["y"] - t for b, t in zip(boxes, tops, strict=True)] == pytest.approx(
            [6, 6], abs=2
        )


def test_the_first_date_is_not_cut_off(browser, made):
    with Visit(browser, made.page) as visit:
        visit.calm()
        box = visit.page.locator("#chart").bounding_box()
        corner = {"x": box["x"], "y": box["y"] + box["height"] - 22, "width": 60, "height": 18}
        shot = Image.open(io.BytesIO(visit.page.screenshot(clip=corner))).convert("L")
        inked = np.flatnonzero(np.asarray(shot).min(axis=0) < 200)
        label = inked[: np.argmax(np.diff(inked, append=99) > 8) + 1]
        width = visit.page.evaluate(
            """() => { const ctx = document.createElement("canvas").getContext("2d");
              ctx.font = `bold 11px ${getComputedStyle(document.body).fontFamily}`;
              return ctx.measureText("2024").width; }"""
        )
        assert label[-1] - label[0] + 1 >= width - 3


def test_hostile_names_are_shown_as_text(browser, tmp_path):
    runs = runs_in(tmp_path, "base", "b", remarks=[f"warning: {HOSTILE}"], demo=HOSTILE)
    # json escapes the emoji as two surrogates, which YAML does not join
    (runs[1] / "config.yaml").write_text(json.dumps({"name": "b", "x": {HOSTILE: HOSTILE}}))
    made = compare(runs, results=tmp_path, names=[HOSTILE, HOSTILE + "2"], bootstrap=99)
    with Visit(browser, made.page) as visit:
        visit.point(5)
        assert visit.page.locator("img").count() == 0
        shown = visit.page.locator("[data-part=equity] button span").first.text_content()
        assert shown == readable(HOSTILE)
        row = visit.page.locator(".parameters tbody tr", has_text="x.").first
        assert readable(HOSTILE) in row.text_content()
    assert re.fullmatch(r"[\w.-]+", made.folder.name)


def test_the_page_does_not_scroll_sideways_on_a_narrow_screen(browser, made):
    with Visit(browser, made.page) as visit:
        visit.page.set_viewport_size({"width": 420, "height": 800})
        visit.calm()
        wide = "() => document.documentElement.scrollWidth <= innerWidth"
        assert visit.page.evaluate(wide)
