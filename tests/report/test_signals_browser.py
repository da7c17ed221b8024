"""The signal page in a real browser, opened from disk."""

import io
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from report_signals import BANNER, DIVERGENCE, OSCILLATOR, PANES, SCORE, bars, studied, trades

from hpi_bt.report.bidi import readable
from hpi_bt.report.signals import write_signals

FIRST = trades((50, 90, 9.5), (120, 180, -4.0), (300, 330, 7.0), (500, 599, -1.0))
HOSTILE = "</script><img src=x onerror=alert(1)> \"'` 😀 שלום \u202e {{7*7}} <!--"


class Visit:
    """One opened page, with everything that it complained of or asked for."""

    def __init__(self, browser, folder, frame=None, panes=PANES, made=FIRST, **options):
        path = folder / "chart.html"
        scheme = options.pop("scheme", "light")
        self.frame = bars() if frame is None else frame
        given = {"title": "Run", "banner": BANNER} | options
        begun = time.perf_counter()
        write_signals(path, self.frame, panes, made, **given)
        self.written, self.bytes = time.perf_counter() - begun, path.stat().st_size
        self.complaints, self.requests = [], []
        self.page = browser.new_page(
            viewport={"width": 1300, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        self.page.on("console", lambda m: self.complaints.append(m.text))
        self.page.on("pageerror", lambda e: self.complaints.append(str(e)))
        self.page.on("dialog", lambda d: (self.complaints.append(d.message), d.dismiss()))
        self.page.on("request", lambda r: self.requests.append(r.url))
        begun = time.perf_counter()
        self.page.goto(path.as_uri())
        # no wait_for_function: the page's policy forbids the eval that it needs
        self.page.wait_for_selector("#wait", state="detached", timeout=60_000)
        assert self.page.evaluate("window.__ready") == 1
        self.ready = time.perf_counter() - begun

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.page.close()

    def calm(self):
        """Wait until two frames were painted."""
        self.page.evaluate(
            "new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"
        )

    def view(self):
        return self.page.evaluate("__signals.view()")

    def show(self, first, last):
        self.page.evaluate(
            "([a, b]) => __signals.chart.timeScale().setVisibleLogicalRange({from: a, to: b})",
            [first, last],
        )
        self.calm()

    def point(self, bar):
        """Move the mouse over a bar, in the upper part of the chart."""
        x = self.page.evaluate("i => __signals.chart.timeScale().logicalToCoordinate(i)", bar)
        box = self.page.locator("#chart").bounding_box()
        self.page.mouse.move(box["x"] + x, box["y"] + 90)
        self.calm()

    def legend(self):
        """What the legends say: column, and its text."""
        self.calm()
        script = (
            "() => Object.fromEntries([...document.querySelectorAll('.legend [data-column]')]"
            ".map(e => [e.dataset.column, e.textContent]))"
        )
        return self.page.evaluate(script)

    def panes(self):
        script = "() => [...document.querySelectorAll('.legend')].map(e => e.dataset.pane)"
        return self.page.evaluate(script)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        self.calm()

    def picture(self):
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")).astype(int)


@pytest.fixture
def visit(browser, tmp_path):
    with Visit(browser, tmp_path, demo="made-up", symbol="ES") as made:
        yield made
        assert made.complaints == []
        assert [url for url in made.requests if not url.startswith(("file:", "data:"))] == []


def number(text):
    return float(text.replace(",", "").replace("−", "-"))


#: Prices as they are quoted, lines to six digits, volume whole.
LEAST_DIGITS = {
    **dict.fromkeys(("open", "high", "low", "close"), 2),
    **{"volume": 0, "Osc.osc": 4, "Osc.score": 5},
}


def test_legends_show_the_values_under_the_cursor(visit):
    for bar in (310, 400, 455, 599):
        visit.point(bar)
        shown = visit.legend()
        for name, least in LEAST_DIGITS.items():
            digits = len(shown[name].partition(".")[2])
            assert digits >= least, name
            error = abs(number(shown[name]) - visit.frame[name].iloc[bar])
            assert error <= 0.5 * 10.0**-digits * (1 + 1e-9) + 1e-9, name
        assert shown["Osc.div"] == ("▲ bullish" if bar == 400 else "·")


def test_an_unknown_value_is_a_dash(visit):
    visit.show(0, 60)
    visit.point(5)
    assert visit.legend()["Osc.osc"] == "–"


REGIME = {
    **{"label": "Map", "column": "Map.regime", "line": "regime", "pane": "regime", "kind": "step"},
    **{"levels": [-1.0, 0.0], "words": {"-1": "squeeze", "0": "neutral", "2": "pinned"}},
}
ZONE = {
    **{"label": "Map", "column": "Map.low", "line": "low", "pane": "price", "kind": "zone"},
    **{"high": "high", "sparse": True},
}


def expiring():
    """Bars whose last 30 know nothing; the zone ended 70 bars before."""
    frame = bars().assign(**{"Map.regime": 0.0, "Map.low": 99.0, "Map.high": 99.5})
    frame.loc[frame.index[-100:], "Map.low"] = np.nan
    frame.loc[frame.index[-40:], "Map.regime"] = 2.0
    frame.loc[frame.index[-30:], ["Osc.osc", "Osc.div", "Map.regime", "Map.high"]] = np.nan
    return frame


def test_at_rest_a_legend_shows_what_was_known_last_with_its_time(browser, tmp_path):
    with Visit(browser, tmp_path, expiring(), [*PANES, REGIME, ZONE]) as seen:
        aged = "() => [...document.querySelectorAll('.legend .old small')].map(e => e.textContent)"
        shown = seen.legend()
        assert number(shown["Osc.osc"]) == pytest.approx(seen.frame["Osc.osc"].iloc[569], abs=1e-4)
        assert shown["Map.regime"] == "pinned"
        assert shown["Map.low"] == "–"  # there was no zone when the map was known last
        assert number(shown["Osc.score"]) == pytest.approx(
            seen.frame["Osc.score"].iloc[-1], abs=1e-4
        )
        assert seen.page.evaluate(aged) == ["04:30", "04:30"]  # of bars that end at 05:00
        seen.point(590)
        assert seen.legend()["Osc.osc"] == "–"
        assert seen.page.evaluate(aged) == []


def test_values_with_words_have_them_on_the_axis(browser, tmp_path):
    script = """() => { const {series} = __signals.panes.get("regime").mounted.parts[0];
      const {visible, hidden} = Object.groupBy(series.priceLines().map(p => p.options()),
        o => o.lineVisible ? "visible" : "hidden"), f = series.priceFormatter();
      return [visible, hidden].map(all => all.filter(o => o.axisLabelVisible)
        .map(o => f.format(o.price))).concat([f.formatTickmarks([-1, 0.5, 2])]); }"""
    with Visit(browser, tmp_path, expiring(), [REGIME]) as seen:
        drawn, named, ticks = seen.page.evaluate(script)
        assert sorted(drawn) == ["neutral", "squeeze"]
        assert named == ["pinned"]
        assert ticks == ["", "", ""]
        assert seen.complaints == []


def test_an_axis_has_one_unit_and_as_many_decimals_as_it_needs(visit):
    script = """all => { const {host} = __signals.panes.get("score").mounted;
      return host.priceFormatter().formatTickmarks(all); }"""
    said = [
        visit.page.evaluate(script, all_of)
        for all_of in ([-0.5, 0, 0.5], [0, 0.25], [-25e3, 0, 25e3], [1e9, 1.5e9], [10, 20])
    ]
    assert said == [
        *(["−0.5", "0.0", "0.5"], ["0.00", "0.25"], ["−25K", "0", "25K"]),
        *(["1.0B", "1.5B"], ["10", "20"]),
    ]


def test_one_word_for_an_exit_everywhere(browser, tmp_path):
    made = trades((350, 370, 1.0), (400, 420, 1.0), (450, 470, 1.0), (500, 520, -1.0))
    made["exit_reason"] = ["", "late_flat", "stop", "panic"]
    made["status"] = ["closed", "closed", "open", "closed"]
    with Visit(browser, tmp_path, made=made) as seen:
        words = "() => [...document.querySelectorAll('.row .why')].map(e => e.textContent)"
        assert seen.page.evaluate(words) == ["order", "late flat", "open", "panic"]
        key = seen.page.locator("#key").inner_text()
        for word in ("order (", "late flat (held past", "open (still held", "panic (the strategy"):
            assert word in key
        painted = """() => { const made = [], all = CanvasRenderingContext2D.prototype;
          const before = all.fillText; all.fillText = function (text, ...at) {
            made.push(text); return before.call(this, text, ...at); };
          __signals.chart.takeScreenshot(); all.fillText = before; return made; }"""
        seen.show(340, 480)
        seen.page.evaluate("__signals.state.selected = 0")
        assert {"order +1.00"} <= set(seen.page.evaluate(painted))


def test_sub_penny_prints_leave_prices_in_cents(browser, tmp_path):
    frame = bars()
    frame.loc[frame.index[::40], "close"] += 0.001234
    made = trades((300, 310, 1.0), entry_price=99.123456)
    line = {"label": "A", "column": "A.a", "line": "a", "pane": "price"}
    with Visit(browser, tmp_path, frame.assign(**{"A.a": 99.123456}), [line], made) as seen:
        seen.point(400)
        shown = seen.legend()
        assert (shown["close"], shown["A.a"]) == (f"{frame['close'].iloc[400]:.2f}", "99.12")
        assert seen.page.locator(".row .deal").inner_text() == "99.12 → 101.00"
        script = "v => __signals.panes.get('price').mounted.host.priceFormatter().format(v)"
        assert seen.page.evaluate(script, 99.5) == "99.50"


def test_a_stock_crossover_is_drawn_as_marks(browser, tmp_path):
    hits = np.zeros(600)
    hits[::50] = 1.0
    line = {"label": "CrossOver", "column": "X.x", "line": "crossover", "levels": [0.0, 1.0, -1.0]}
    with Visit(browser, tmp_path, bars().assign(**{"X.x": hits}), [line]) as seen:
        seen.point(550)
        assert seen.legend()["X.x"] == "▲ up"
        seen.point(551)
        assert seen.legend()["X.x"] == "·"
        kind = "() => __signals.panes.get('CrossOver').lines[0].kind"
        assert seen.page.evaluate(kind) == "event"


def test_a_legend_of_many_lines_folds_and_leaves_room_for_the_candles(browser, tmp_path):
    names = [f"Level {i}" for i in range(30)]
    lines = [{"label": "L", "column": x, "line": x, "pane": "price"} for x in names]
    top = """() => { const {high} = __signals.columns;
      const {host} = __signals.panes.get("price").mounted;
      return Math.min(...[...high].slice(-100).map(v => host.priceToCoordinate(v))); }"""
    with Visit(browser, tmp_path, bars().assign(**dict.fromkeys(names, 99.3)), lines) as seen:
        seen.show(500, 600)
        legend = seen.page.locator(".legend[data-pane=price]")
        tall = legend.bounding_box()["height"]
        assert seen.page.evaluate(top) > tall > 40
        legend.get_by_role("button", name="Hide the values of the lines").click()
        seen.calm()
        assert legend.bounding_box()["height"] < 30
        assert seen.page.evaluate(top) < tall
        assert seen.complaints == []


def test_the_hour_that_comes_twice_is_told_apart(visit):
    visit.show(280, 440)
    said = []
    for bar in (299, 359):
        visit.point(bar)
        said.append(visit.page.locator(".legend [data-time]").inner_text())
    assert said == ["Sun 2024-11-03 01:00 EDT", "Sun 2024-11-03 01:00 EST"]


def test_panes_hide_come_back_in_their_order_and_stand_alone(visit):
    page, before = visit.page, visit.view()
    assert visit.panes() == ["price", "osc", "score"]
    page.click("#panes button[data-pane=osc]")
    visit.calm()
    assert visit.panes() == ["price", "score"]
    page.click("#panes button[data-pane=osc]")
    visit.calm()
    assert visit.panes() == ["price", "osc", "score"]
    orders = "() => __signals.chart.panes().map(p => p.getHTMLElement().offsetTop)"
    tops = page.evaluate(orders)
    assert tops == sorted(tops)
    page.click(".legend[data-pane=score] .tools button >> nth=0")
    visit.calm()
    assert visit.panes() == ["score"]
    visit.press("Escape")
    assert visit.panes() == ["price", "osc", "score"]
    assert visit.view() == pytest.approx(before)


def test_the_last_pane_cannot_be_hidden(visit):
    for name in ("price", "osc", "score"):
        visit.page.click(f"#panes button[data-pane={name}]")
        visit.calm()
    assert visit.panes() == ["score"]


def test_layers_come_and_go(visit):
    visit.show(200, 420)
    for name in ("trades", "events", "volume", "sessions"):
        seen = []
        for _ in range(3):
            visit.page.mouse.move(1, 1)
            visit.calm()
            seen.append(visit.picture()[220:])  # the chart alone: buttons change anyway
            visit.page.click(f"#layers button[data-layer={name}]")
        shown, hidden, again = seen
        assert (shown != hidden).any(), name
        assert (shown == again).all(), name
        visit.page.click(f"#layers button[data-layer={name}]")


def test_a_click_in_the_list_lands_on_the_trade(visit):
    visit.page.click(".row[data-trade='1']")
    visit.calm()
    view = visit.view()
    assert view["from"] < 120
    assert view["to"] > 180
    assert (view["from"] + view["to"]) / 2 == pytest.approx(150, abs=1)
    assert visit.page.locator(".row[aria-selected=true]").get_attribute("data-trade") == "1"
    close = visit.frame["close"].iloc[120]
    visit.page.mouse.move(1, 1)
    assert number(visit.legend()["close"]) == pytest.approx(close)


def test_keys_move_zoom_and_step_through_trades(visit):
    before = visit.view()
    visit.press("ArrowLeft")
    left = visit.view()
    assert left["from"] < before["from"]
    assert left["to"] - left["from"] == pytest.approx(before["to"] - before["from"])
    visit.press("+")
    near = visit.view()
    assert near["to"] - near["from"] < 0.8 * (left["to"] - left["from"])
    visit.press("-", "a")
    assert (visit.view()["from"] < 0, visit.view()["to"] > 599) == (True, True)
    visit.press("Home")
    assert visit.view()["from"] == pytest.approx(-2)
    visit.press("End", "p")
    chosen = "() => __signals.state.selected"
    at = visit.page.evaluate(chosen)
    visit.press("p")
    assert visit.page.evaluate(chosen) == at - 1
    visit.press("n")
    assert visit.page.evaluate(chosen) == at
    visit.press("Escape")
    assert visit.page.evaluate(chosen) == -1


def test_the_list_keeps_winners_or_losers(visit):
    page = visit.page
    page.click("#filters button[data-filter=losers]")
    rows = "() => [...document.querySelectorAll('.row')].map(e => +e.dataset.trade)"
    assert page.evaluate(rows) == [1, 3]
    assert "net −5.00" in page.locator("#tally").inner_text()
    visit.press("Home", "n", "n")
    assert page.evaluate("() => __signals.state.selected") in (1, 3)
    page.click("#filters button[data-filter=winners]")
    assert page.evaluate(rows) == [0, 2]


def test_the_picture_is_a_png(visit, tmp_path):
    with visit.page.expect_download() as got:
        visit.page.click("#export")
    got.value.save_as(tmp_path / "saved.png")
    assert got.value.suggested_filename == "Run.png"
    with Image.open(tmp_path / "saved.png") as image:
        assert image.format == "PNG"
        assert image.width > 600
        assert image.height > 500
        assert len(image.convert("RGB").getcolors(10**6)) > 20


@pytest.mark.parametrize("width", [420, 1300])
def test_legends_leave_the_axis_of_the_picture_alone(browser, tmp_path, width):
    lines = [
        OSCILLATOR | {"pane": "price", "column": column, "title": f"{column} " * 16}
        for column in ("open", "high", "low", "close")
    ]
    script = """() => { const made = picture(), shot = chart.takeScreenshot(true, false);
      const k = shot.width / $("chart").clientWidth, axis = chart.priceScale("right").width() * k;
      const read = (canvas, y) => canvas.getContext("2d")
        .getImageData(shot.width - axis + 2, y, axis - 2, shot.height).data;
      const [a, b] = [read(made, 44 * k), read(shot, 0)];
      return [a.filter((v, i) => Math.abs(v - b[i]) > 60).length, axis / k]; }"""
    with Visit(browser, tmp_path, bars(), lines) as seen:
        seen.page.set_viewport_size({"width": width, "height": 900})
        seen.calm()
        differing, axis = seen.page.evaluate(script)
    assert differing == 0
    assert axis > 50


def test_light_and_dark_differ_by_the_button_and_by_the_system(browser, visit, tmp_path):
    light = visit.picture()
    visit.press("t")
    dark = visit.picture()
    assert light.mean() > 200
    assert dark.mean() < 80
    with Visit(browser, tmp_path, scheme="dark", demo="made-up", symbol="ES") as other:
        assert abs(other.picture() - dark).mean() < 3


def test_the_chosen_theme_is_kept_for_the_next_visit(visit):
    visit.press("t")
    assert visit.picture().mean() < 80
    visit.page.reload()
    visit.page.wait_for_selector("#wait", state="detached")
    visit.calm()
    assert visit.picture().mean() < 80
    visit.press("t")
    assert visit.picture().mean() > 200


def test_a_forbidden_storage_changes_nothing(browser, tmp_path):
    with Visit(browser, tmp_path) as seen:
        forbid = "Object.defineProperty(window, 'localStorage', {get() { throw Error('no'); }})"
        seen.page.add_init_script(forbid)
        seen.page.reload()
        seen.page.wait_for_selector("#wait", state="detached")
        seen.press("t")
        assert seen.picture().mean() < 80
        assert seen.complaints == []


def test_the_chart_fills_its_frame_at_once_when_the_window_changes(visit):
    # what is drawn, measured right after the frame in which the window changed
    script = """() => new Promise(done => addEventListener("resize", () =>
      requestAnimationFrame(() => setTimeout(() => done(__signals.chart.panes().map(p => {
        const own = p.getHTMLElement(), canvas = own.querySelector("canvas");
        return own.getBoundingClientRect().height - canvas.getBoundingClientRect().height;
      })))), { once: true }))"""
    for height in (1000, 760):
        visit.page.evaluate(f"void (window.__gaps = ({script})())")
        visit.page.set_viewport_size({"width": 1300, "height": height})
        gaps = visit.page.evaluate("window.__gaps")
        assert max(map(abs, gaps)) <= 1.0, (height, gaps)


def test_the_legend_names_the_parameters_of_its_indicators(browser, tmp_path):
    lines = [OSCILLATOR | {"params": "14, 3"}, SCORE | {"params": "14, 3"}]
    with Visit(browser, tmp_path, panes=lines) as seen:
        script = "() => [...document.querySelectorAll('.legend i')].map(e => e.textContent)"
        assert seen.page.evaluate(script) == ["Osc (14, 3)", "Osc (14, 3)"]


def test_the_study_stands_below_the_chart(browser, tmp_path):
    frame, made, study = studied()
    with Visit(browser, tmp_path, frame, made=made, study=study, symbol="ES") as seen:
        text = seen.page.locator("#study").inner_text()
        assert "bullish" in text
        assert "Entries against random ones" in text
        assert "nan" not in text.lower()
        assert seen.page.locator("#study .signal tbody tr[class]").count() == len(study.events)
        assert seen.page.locator("#study .line figure").count() == 6
        seen.page.click("a[href='#study']")
        seen.calm()
        box = seen.page.locator("#study").bounding_box()
        assert 0 <= box["y"] < 100
        light = seen.picture()
        seen.press("t")
        assert light.mean() - seen.picture().mean() > 120
        assert seen.complaints == []


def test_a_divergence_joins_its_pivots_on_price_and_indicator(visit):
    visit.show(340, 420)
    # the line between bars 360 and 395, looked for where both panes have it
    script = """() => {
      const out = [], {chart, panes, columns: C} = __signals, shot = chart.takeScreenshot(true);
      const box = document.getElementById("chart"), k = shot.width / box.clientWidth;
      const ctx = shot.getContext("2d"), home = box.getBoundingClientRect().top;
      for (const [name, v] of [["price", C.low], ["osc", C["Osc.osc"]]]) {
        const host = panes.get(name).mounted.host, t = (371.5 - 360) / 35;
        const top = host.getPane().getHTMLElement().getBoundingClientRect().top - home;
        const a = host.priceToCoordinate(v[360]), b = host.priceToCoordinate(v[395]);
        const scale = chart.timeScale(), x0 = scale.logicalToCoordinate(360);
        const x = x0 + (scale.logicalToCoordinate(395) - x0) * t, y = top + a + (b - a) * t;
        const data = ctx.getImageData(Math.round(x * k) - 1, Math.round(y * k) - 2, 3, 5).data;
        const pixels = Array.from({length: 15}, (_, i) => Array.from(data.slice(4 * i, 4 * i + 3)));
        out.push(pixels);
      }
      return out;
    }"""
    wanted = np.array([0x26, 0xA6, 0x9A])  # the colour of rising candles
    pixels_of = visit.page.evaluate(script)
    visit.complaints[:] = [c for c in visit.complaints if "getImageData" not in c]  # of this test
    for pixels in pixels_of:
        assert abs(np.array(pixels) - wanted).sum(axis=1).min() < 30


def test_hostile_names_are_only_words(browser, tmp_path):
    names = {"label": HOSTILE, "column": HOSTILE, "line": HOSTILE, "pane": HOSTILE}
    lines = [OSCILLATOR | names, DIVERGENCE | {"up": HOSTILE, "pane": HOSTILE, "segment": []}]
    frame = bars().assign(**{HOSTILE: 1.0})
    vetoes = {"time": [frame.index[9]], "data": [HOSTILE], "side": [1], "reason": [HOSTILE]}
    options = {
        **{"title": HOSTILE, "banner": [(HOSTILE, HOSTILE)], "demo": HOSTILE, "symbol": HOSTILE},
        "vetoes": pd.DataFrame(vetoes),
    }
    made = trades((300, 340, 1.0), exit_reason=HOSTILE, status=HOSTILE, data=HOSTILE)
    with Visit(browser, tmp_path, frame, lines, made, **options) as seen:
        seen.press("n")
        with seen.page.expect_download() as got:
            seen.page.click("#export")
        assert got.value.suggested_filename.endswith(".png")
        assert seen.complaints == []
        assert seen.page.locator("img").count() == 0
        assert seen.page.locator("h1").inner_text().startswith("</script><img")
        assert readable(HOSTILE) in seen.panes()
        assert all(url.startswith(("file:", "data:", "blob:")) for url in seen.requests)


def test_an_indicator_nobody_foresaw_gets_its_panes(browser, tmp_path):
    frame = bars().assign(**{"Mine.a": np.arange(600.0), "Mine.b": 1e13, "Mine.hit": 0.0})
    frame.loc[frame.index[::50], "Mine.hit"] = -1.0
    mine = {"indicator": "Mine", "label": "Mine"}
    lines = [
        mine | {"column": "Mine.a", "line": "a", "pane": "price", "kind": "step"},
        mine | {"column": "Mine.b", "line": "b", "kind": "area", "light": "#333", "color": "#fff"},
        mine | {"column": "Mine.hit", "line": "hit", "pane": "only events", "kind": "event"},
    ]
    with Visit(browser, tmp_path, frame, lines, trades()) as seen:
        assert seen.panes() == ["price", "Mine", "only events"]
        seen.point(550)
        shown = seen.legend()
        assert shown == shown | {"Mine.a": "550.00", "Mine.b": "10,000,000,000,000"}
        assert shown["Mine.hit"] == "▼ down"
        assert seen.page.locator("#tally").inner_text() == "No such trade."
        seen.press("n", "t")
        assert seen.complaints == []


def test_a_single_bar_is_a_page(browser, tmp_path):
    with Visit(browser, tmp_path, bars(1), [], trades()) as seen:
        seen.press("a", "n", "ArrowLeft")
        assert number(seen.legend()["close"]) == bars(1)["close"].iloc[0]
        assert seen.complaints == []


def test_a_hundred_thousand_bars_open_in_seconds(browser, tmp_path):
    frame, _, study = studied(100_000, 400, horizons=None)
    entries = np.sort(np.random.default_rng(1).choice(99_900, 5_000, replace=False))
    made = trades(*((int(e), int(e) + 40, float(e % 7) - 3.0) for e in entries))
    lines = [*PANES, SCORE | {"pane": "again"}]
    with Visit(browser, tmp_path, frame, lines, made, study=study) as seen:
        size = seen.bytes / 1e6
        print(f"{size:.2f} MB, written in {seen.written:.2f} s, ready in {seen.ready:.2f} s")
        assert size < 4.0
        assert seen.written < 10.0
        assert seen.ready < 30.0
        assert seen.page.locator(".row").count() < 60
        seen.press("a", "n")
        k = seen.page.evaluate("() => __signals.state.selected")
        view = seen.view()
        assert view["from"] < entries[k] < view["to"]
        assert seen.complaints == []
