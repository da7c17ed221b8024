"""The page of a chain, read as text."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpi_bt.chains import chain_report
from hpi_bt.report.chain import expiry_rows, sign_rows, write_chain, zone_rows
from hpi_bt.report.chain_figures import MOST_BARS, charm_figure, exposure_figure
from hpi_bt.report.chain_result import zone_records
from hpi_bt.report.chain_words import assumptions, figure_rows, verdict
from small_chains import EXPIRIES, contracts, in_memory, saved

HOSTILE = "</script><img src=x onerror=alert(1)> {{7*7}} <!--"


@pytest.fixture(scope="module")
def report():
    """Calls held above spot and puts below it, most of them for today."""
    rows = contracts()
    near = np.where(rows["right"] == "C", 102.0, 98.0)
    held = 400.0 * np.exp(-(((rows["strike"] - near) / 0.8) ** 2))
    today = np.where(rows["expiry"] == EXPIRIES[0], 10.0, 1.0)
    return chain_report(in_memory(rows.assign(open_interest=np.round(held * today)), symbol="SPX"))


@pytest.fixture(scope="module")
def page(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "chain.html"
    write_chain(path, report)
    return path.read_text(encoding="utf-8")


def test_the_page_names_both_maps_for_what_they_are(page):
    assert "Hedge impulse, repriced" in page
    assert "Kernel map" in page
    assert "It revalues nothing" in page
    assert "Zero gamma, repriced" in page
    assert "Zero of the cumulative strike sum" in page


def test_every_assumption_is_in_the_banner(page, report):
    names = [name for name, _ in assumptions(report)]
    for name in ("Dealers' sign", "Positions", "Rate and yield", "Expiry", "Vols", "Contracts"):
        assert name in names
        assert f'<th scope="row">{name.replace(chr(39), "&#39;")}</th>' in page


def test_the_page_asks_for_nothing_and_runs_no_code_of_others(page):
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page)
    assert "default-src 'none'" in page
    assert page.count("<script") == 2


def test_zones_crossings_and_levels_are_drawn_where_they_are(report, page):
    curve = report.flow.curve
    assert page.count('class="crossing"') == len(curve.crossings) > 0
    assert page.count('class="mark basin"') == len(curve.basins) > 0
    assert page.count('class="mark peak"') == len(curve.peaks) > 0
    assert len(re.findall(r'class="zone \w+"', page)) == len(report.flow.cloud.zones) > 0
    assert re.search(r">Spot[^<]* 100<", page)


def test_what_is_read_off_the_impulse_is_the_curve(report, page):
    data = json.loads(re.search(r'type="application/json">(.*?)</script>', page).group(1))
    told, curve = data["impulse"], report.flow.curve
    assert len(told["rows"]) == len(told["x"]) == len(curve.price)
    start = told["rows"][told["start"]]
    assert start[:2] == ["100", "0.00 %"]
    assert start[2] == report.money(float(curve.impulse_usd[len(curve.price) // 2]))
    assert told["heads"][-1] == "Dealers for +1 point of ES"
    assert data["kernel"]["group"] == told["group"] == "price"
    for one in data.values():
        assert list(one["x"]) == sorted(one["x"])
        assert all(len(row) == len(one["heads"]) for row in one["rows"])


def test_zones_carry_the_trade_and_the_hedge(report):
    rows = zone_rows(report)
    assert [row["kind"] for row in rows] == [z.kind for z in report.flow.cloud.zones]
    for row, zone in zip(rows, report.flow.cloud.zones, strict=True):
        # dealers buy as price rises exactly where the impulse is below 0
        assert row["hedge"][0].startswith("−" if zone.impulse > 0.0 else "+")


def test_the_sign_table_shades_the_chosen_column(report, page):
    signs = sign_rows(report)
    assert [head["chosen"] for head in signs["heads"]].count(True) == 1
    assert all(len(cells) == len(signs["heads"]) for _, cells in signs["rows"])
    gex = dict(signs["rows"])["GEX, $ per 1 % move"]
    assert gex[0].replace("+", "−") == gex[1] or gex[0].replace("−", "+") == gex[1]
    assert page.count('class="chosen"') == 1 + len(signs["rows"])


def test_every_expiry_has_its_inputs_of_k(report):
    rows = expiry_rows(report)
    names = [EXPIRIES[0], EXPIRIES[1], f"{EXPIRIES[2]} AM", f"{EXPIRIES[3]} AM"]  # third Fridays
    assert [row["name"] for row in rows] == names
    table = report.expiries
    for row, (_, told) in zip(rows, table.iterrows(), strict=True):
        assert float(row["k"].replace("−", "-")) == pytest.approx(-0.5 * told["skew"], abs=6e-4)
        assert float(row["k_atm"].replace("−", "-")) == pytest.approx(-1.5 * told["skew"], abs=6e-4)


def test_words_say_who_trades_which_way(report):
    words = " ".join(verdict(report))
    long_gamma = report.flow.exposures.gex > 0.0
    assert ("sell rises and buy falls" in words) == long_gamma
    assert f"makes dealers {report.flow.charm.direction}" in words
    turned = chain_report(report.chain, positioning="dealers_short_calls_long_puts")
    assert ("sell rises and buy falls" in " ".join(verdict(turned))) != long_gamma
    assert {name for name, _ in figure_rows(report)} == {"Market", "Exposure", "Levels", "Charm"}


def test_a_net_that_nearly_cancels_is_said_to_be_fragile():
    balanced = chain_report(in_memory(contracts(calls=100.0, puts=103.0)))
    assert "nearly cancel" in " ".join(verdict(balanced))
    equal = chain_report(in_memory(contracts(calls=100.0, puts=100.0)))
    assert "cancel out" in " ".join(verdict(equal))


def test_long_horizons_are_drawn_in_fewer_bars():
    report = chain_report(in_memory(contracts(expiries=("2024-09-20",))))
    assert len(report.flow.charm.buckets) > 30_000
    hover = charm_figure(report).hover
    assert len(hover.rows) <= MOST_BARS
    assert hover.rows[-1][3] == report.money(report.flow.charm.dollars)


def test_calls_and_puts_of_one_sign_stand_on_each_other():
    chain = in_memory(contracts(vol=0.4).assign(dealer_position=10.0))  # long everything
    report = chain_report(chain, positioning="dealer_position")
    table = report.by_side
    both = np.sign(table["call_vex"]) * np.sign(table["put_vex"]) > 0.0
    assert both.any()
    rows = {row[0]: row for row in exposure_figure(report, "vex").hover.rows}
    strike = float(table.index[both][np.argmin(np.abs(table.index[both] - 100.0))])
    told = rows[f"{strike:,.0f}"]
    sides = (table.loc[strike, "call_vex"], table.loc[strike, "put_vex"])
    assert told[2:] == [report.money(v) for v in (*sides, sum(sides))]
    drawn = {s.attrs["class"]: s.attrs["d"] for s in exposure_figure(report, "vex").shapes
             if "d" in s.attrs}  # fmt: skip
    ends = re.findall(r"M([\d.]+),([\d.]+)h[\d.]+V([\d.]+)", drawn["bar calls"])
    starts = re.findall(r"M([\d.]+),([\d.]+)h[\d.]+V([\d.]+)", drawn["bar puts"])
    tops, feet = {x: end for x, _, end in ends}, {x: start for x, start, _ in starts}
    assert any(tops[x] == feet[x] for x in tops.keys() & feet.keys())


def test_hostile_names_stay_text(tmp_path):
    path = saved(tmp_path, contracts().assign(symbol=HOSTILE))
    report = chain_report(path, out=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;/script&gt;&lt;img" in page
    assert report.title == HOSTILE


def test_demo_chains_are_marked():
    chain = in_memory(contracts(), notes=("DEMO: all of it is made up.",))
    report = chain_report(chain)
    assert report.demo == "DEMO: all of it is made up."


def test_a_zone_whose_strength_rounds_to_nothing_is_called_negligible(report, monkeypatch):
    one = dict(zone_records(report)[0])
    for strength, text in ((0.0049, "negligible"), (0.0051, "0.01"), (1.0, "1.00")):
        faint = [{**one, "strength": strength}]
        monkeypatch.setattr("hpi_bt.report.chain.zone_records", lambda _, faint=faint: faint)
        assert [row["strength_text"] for row in zone_rows(report)] == [text]


def test_a_kind_that_the_file_cannot_show_is_not_named(tmp_path):
    table = contracts().drop(columns=["volume", "bid", "ask"])
    said = dict(assumptions(chain_report(saved(tmp_path, table))))["Contracts"]
    assert "stale" not in said
    assert "smile" not in said


def test_the_banner_says_what_was_cleaned(tmp_path):
    table = pd.concat([contracts(), contracts(expiries=("2023-09-12",))], ignore_index=True)
    table.loc[:4, "open_interest"] = 0.0
    report = chain_report(saved(tmp_path, table), out=tmp_path / "page.html")
    said = dict(assumptions(report))["Contracts"]
    assert "168 of 4 expiries count here, 210 are in the file" in said
    assert "Left out of it: 0 duplicated, 0 adjusted, 42 expired" in said
    counts = report.cleaning.counts
    assert counts["no open interest"] == 5
    assert f"exposures: {counts['no open interest']} without open interest." in said
    assert f"recent trade: {counts['stale']} stale." in said
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'id="cleaning"' in page


def test_counts_beside_one_expiry_are_said_to_be_of_the_whole_file(tmp_path):
    file = saved(tmp_path, contracts())
    whole = chain_report(file)
    one = chain_report(file, expiry=str(whole.chain.expiries[0].date()))
    said = " The counts that follow are of the whole file, all expiries. Left out of it: "
    assert said in dict(assumptions(one))["Contracts"]
    assert said not in dict(assumptions(whole))["Contracts"]


def test_an_unknown_impulse_is_said_to_be_unknown_on_page_and_in_json(report, tmp_path):
    curve = report.flow.curve
    nothing = np.full(len(curve.price), np.nan)
    blind = replace(
        curve, impulse=np.nan, impulse_shares=nothing, impulse_usd=nothing, regime="unknown",
        bias="unknown", crossings=(), basins=(), peaks=(),
    )  # fmt: skip
    made = replace(report, flow=replace(report.flow, curve=blind))
    figures = made.summary
    assert figures["impulse_shares_per_unit_price"] is None
    assert (figures["regime"], figures["bias"]) == ("unknown", "unknown")
    said = " ".join(verdict(made))
    assert "the regime is unknown" in said
    assert "neutral" not in said
    rows = {name: text for _, group in figure_rows(made) for name, text, _ in group}
    assert rows["Regime"] == "unknown"
    write_chain(tmp_path / "blind.html", made)
    page = (tmp_path / "blind.html").read_text(encoding="utf-8")
    assert "the regime is unknown" in page


def test_each_expiry_shows_how_far_its_smile_is_from_its_quotes(report, page):
    surface = report.flow.exposures.surface
    rows, told = expiry_rows(report), report.summary["expiries"]
    for row, figures, smile in zip(rows, told, surface.values(), strict=True):
        off = 100.0 * smile.residual
        assert figures["fit_quotes"] == len(off)
        assert figures["fit_rms_vol_points"] == pytest.approx(np.sqrt(np.mean(off**2)))
        assert figures["fit_worst_vol_points"] == pytest.approx(off[np.argmax(np.abs(off))])
        assert figures["fit_worst_strike"] == smile.quotes.strike[np.argmax(np.abs(off))]
        assert row["rms"] == f"{smile.rms:.2f}"
        assert row["worst"].endswith(f"at {figures['fit_worst_strike']:g}")
    assert 'scope="col">Fit, rms</th><th scope="col">Worst miss</th>' in page
    assert page.count("vol points, strike") >= len(surface)


def test_notes_reach_json_with_their_fields_and_the_banner_names_the_vols(report):
    told = {note["code"]: note for note in report.summary["diagnostics"]}
    assert told["source-of-vols"]["severity"] in ("info", "assumption")
    shares = report.summary["gross_gex_pct_by_vol"]
    assert sum(shares.values()) == pytest.approx(100.0)
    (vols,) = [how for what, how in assumptions(report) if what == "Vols"]
    assert f"({shares['quote']:.1f} % of gross gamma)" in vols
    assert report.summary["settings"]["vols"] == "quotes"


def test_figures_on_smiles_say_so():
    made = chain_report(in_memory(contracts()), vols="smile")
    (vols,) = [how for what, how in assumptions(made) if what == "Vols"]
    assert vols.endswith("Every contract takes the vol of its smile, as asked for.")
    assert made.summary["gross_gex_pct_by_vol"]["smile"] == pytest.approx(100.0)
