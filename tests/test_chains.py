"""One chain worked out: figures by hand, laws, real files against naive sums, and refusals."""

import io
import json
import re
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import norm

import hpi_bt as hb
from hpi_bt.chains import chain_report
from hpi_bt.errors import InputError
from hpi_bt.options import OptionChain
from hpi_bt.report.chain import expiry_rows
from hpi_bt.report.chain_result import ChainReport
from hpi_bt.report.chain_words import assumptions
from hpi_bt.sources.chains import read_chain
from small_chains import AS_OF, EXPIRIES, RATE, STRIKES, contracts, in_memory, saved

NOT_A_NUMBER = re.compile(r"\b(?:nan|NaN|inf|Infinity|None|undefined|null)\b")
DATED = ("2023-09-22", "2023-10-20", "2023-12-15")
SPX = "chains/spx_quotedata_2023-09-14.csv"


def two_strikes(**fields):
    """100 calls at 100 and 300 puts at 90, vol 20 %, one month: gamma by the book's formula."""
    table = pd.DataFrame(
        {
            "expiry": "2023-10-14 12:00-04:00",
            "strike": [100.0, 90.0],
            "right": ["C", "P"],
            "iv": 0.2,
            "volume": [10.0, 0.0],
            "open_interest": [100.0, 300.0],
        }
    )
    return OptionChain(table, 100.0, AS_OF, **fields)


def gamma(strike, tau=30 / 365, sigma=0.2, spot=100.0):
    d1 = (np.log(spot / strike) + 0.5 * sigma**2 * tau) / (sigma * np.sqrt(tau))
    return norm.pdf(d1) / (spot * sigma * np.sqrt(tau))


def test_two_strikes_by_hand():
    report = chain_report(two_strikes(symbol="XYZ"))
    # dealers long 100 calls and short 300 puts, 100 shares each: $ per 1 % is shares x S^2 x 0.01
    calls = 100 * 100 * gamma(100.0) * 100.0
    puts = -300 * 100 * gamma(90.0) * 100.0
    table = report.by_side
    assert_allclose(table.loc[100.0, ["call_gex", "put_gex"]], [calls, 0.0], rtol=1e-9)
    assert_allclose(table.loc[90.0, ["call_gex", "put_gex"]], [0.0, puts], rtol=1e-9)
    assert_allclose(report.summary["gex_cash_per_1pct"], calls + puts, rtol=1e-9)
    assert_allclose(report.gross["gex"], calls - puts, rtol=1e-9)
    assert report.summary["call_wall"] == 100.0
    assert report.summary["put_wall"] == 90.0
    assert report.as_of == AS_OF


def test_the_other_convention_turns_every_sign_and_no_level():
    table = chain_report(two_strikes()).sensitivity.set_index(["positioning", "mode"])
    ours, theirs = (
        table.loc[(f"dealers_{calls}_calls_{puts}_puts", "canonical")]
        for calls, puts in (("long", "short"), ("short", "long"))
    )
    for name in ("gex", "vex", "cex", "impulse_usd", "charm_shares", "charm_dollars"):
        assert theirs[name] == -ours[name] != 0.0
    assert theirs["zero_gamma"] == ours["zero_gamma"]
    assert {ours["direction"], theirs["direction"]} == {"buy", "sell"}
    assert ours["chosen"]
    assert not theirs["chosen"]


def test_the_table_of_signs_agrees_with_a_report_under_each_of_them():
    chain = in_memory(contracts(calls=200.0, puts=90.0))
    for row in chain_report(chain).sensitivity.to_dict("records"):
        alone = chain_report(chain, positioning=row["positioning"], mode=row["mode"]).summary
        assert alone["gex_cash_per_1pct"] == row["gex"]
        assert alone["charm_to_close_cash"] == row["charm_dollars"]
        assert alone["regime"] == row["regime"]
        known = [alone["zero_gamma_repriced"], alone["attractor_above"], alone["attractor_below"]]
        told = [row["zero_gamma"], row["attractor_above"], row["attractor_below"]]
        assert_allclose([np.nan if v is None else v for v in known], told)


def test_signed_positions_of_a_column_join_the_table():
    chain = two_strikes().with_(dealer_position=[-50.0, 20.0])
    assert "dealer_position" in set(chain_report(chain).sensitivity["positioning"])
    report = chain_report(chain, positioning="dealer_position")
    expected = 100 * 100.0 * (-50 * gamma(100.0) + 20 * gamma(90.0))
    assert_allclose(report.summary["gex_cash_per_1pct"], expected, rtol=1e-9)
    chosen = report.sensitivity[report.sensitivity["chosen"]]
    assert chosen["positioning"].tolist() == ["dealer_position"]


def test_assumptions_that_the_chain_cannot_tell_are_left_out():
    chain = two_strikes().with_(dealer_position=[-50.0, 20.0], open_interest=np.nan, volume=0.0)
    table = chain_report(chain, positioning="dealer_position").sensitivity
    assert table["positioning"].tolist() == ["dealer_position"]


@settings(max_examples=10, deadline=None)
@given(scale=st.floats(0.01, 1e6))
def test_more_contracts_scale_every_exposure_and_move_no_level(scale):
    chain = in_memory(contracts(calls=200.0, puts=90.0))
    held = chain.open_interest
    one, many = (chain_report(chain.with_(open_interest=oi)) for oi in (held, held * scale))
    for name in ("gex", "vex", "cex"):
        assert_allclose(many.gross[name], scale * one.gross[name], rtol=1e-9)
        pairs = (getattr(many.flow.exposures, name), getattr(one.flow.exposures, name) * scale)
        assert_allclose(*pairs, rtol=1e-9)
    for name in ("call_wall", "put_wall", "max_pain", "zero_gamma"):
        assert_allclose(getattr(many.levels, name), getattr(one.levels, name), rtol=1e-9)


def test_calls_and_puts_by_strike_sum_to_the_totals():
    report = chain_report(in_memory(contracts(calls=200.0)))
    sums, book = report.by_side.sum(), report.flow.exposures
    for name in ("gex", "vex", "cex"):
        total = sums[f"call_{name}"] + sums[f"put_{name}"]
        assert_allclose(total, getattr(book, name), rtol=1e-9)
        assert_allclose(report.expiries[name].sum(), getattr(book, name), rtol=1e-9)


def test_rate_and_yield_come_from_the_quotes_unless_given():
    chain = in_memory(contracts(expiries=DATED))
    report = chain_report(chain)
    held = report.chain.rate - report.chain.dividend
    assert_allclose(held, RATE, atol=2e-3)  # quotes are rounded
    given_rate = chain_report(chain, rate=0.07)
    assert given_rate.chain.rate == 0.07
    assert_allclose(given_rate.chain.dividend, 0.07 - RATE, atol=2e-3)
    given_yield = chain_report(chain, dividend=0.01)
    assert given_yield.chain.dividend == 0.01
    assert_allclose(given_yield.chain.rate, RATE + 0.01, atol=2e-3)
    both = chain_report(chain, rate=0.03, dividend=0.02).chain
    assert (both.rate, both.dividend) == (0.03, 0.02)


def test_a_yield_below_zero_is_read_as_a_rate_where_quotes_tell_no_rate():
    # early exercise: calls less puts fall by a dollar per dollar of strike, as if rates were 0
    report = chain_report(in_memory(contracts(expiries=DATED, rate=0.0, dividend=-0.03)))
    assert report.chain.dividend == 0.0
    assert_allclose(report.chain.rate, 0.03, atol=2e-3)
    assert "do not tell them apart" in report.carry.note


def test_expiries_are_chosen_by_date_and_expired_ones_never_count(tmp_path):
    table = pd.concat([contracts(), contracts(expiries=("2023-09-12",))])
    path = saved(tmp_path, table)
    everything = chain_report(path)
    assert everything.cleaning.counts["expired"] == 2 * len(STRIKES)
    assert len(everything.chain) == 2 * len(STRIKES) * len(EXPIRIES)
    today = chain_report(path, expiry="0dte")
    assert [str(when)[:10] for when in today.chain.expiries] == ["2023-09-14"]
    several = chain_report(path, expiry=["2023-09-22", "2023-12-15"])
    assert len(several.expiries) == 2
    assert not any("expired" in flag for flag in everything.flags)  # the cleaning report says it


def test_a_file_and_the_chain_in_memory_give_the_same(tmp_path):
    path = saved(tmp_path, contracts())
    from_file, read = chain_report(path), read_chain(path)
    for given_chain in (read, read.chain):
        report = chain_report(given_chain)
        for name in ("gex_cash_per_1pct", "zero_gamma_repriced", "charm_to_close_shares", "k"):
            assert report.summary.get(name) == from_file.summary.get(name)
    assert chain_report(read).cleaning == from_file.cleaning
    assert chain_report(read.chain).name == "XYZ"
    assert "XYZ" in repr(from_file)
    assert "GEX" in from_file._repr_html_()
    moved = chain_report(read.chain, spot=101.0, as_of="2023-09-14 13:00-04:00")
    assert (moved.chain.spot, moved.as_of.hour) == (101.0, 13)


def test_the_package_offers_it_by_name():
    assert hb.chain_report is chain_report
    assert hb.ChainReport is ChainReport


def test_spot_that_quotes_contradict_is_flagged():
    report = chain_report(in_memory(contracts(expiries=DATED), spot=102.0))
    assert_allclose(report.implied_spot, 100.0, atol=0.05)
    assert any("imply a spot of" in flag for flag in report.flags)
    honest = chain_report(in_memory(contracts(expiries=DATED)))
    assert not any("imply a spot of" in flag for flag in honest.flags)


def test_money_is_that_of_the_exchange_unless_said():
    chain = in_memory(contracts(), calendar="XBOM", timezone="Asia/Kolkata")
    assert chain_report(chain).money(1.5e6) == "+₹1.50 m"
    assert chain_report(chain, currency="€").money(-1.5e6) == "−€1.50 m"
    assert chain_report(in_memory(contracts())).currency == "$"


def test_the_page_is_named_after_chain_moment_and_choice(tmp_path):
    path = saved(tmp_path, contracts())
    folder = tmp_path / "results"
    assert chain_report(path, out=folder).page.name == "chain-XYZ-20230914-1200.html"
    page = chain_report(path, out=folder, expiry="0dte", mode="volume").page
    assert page.name == "chain-XYZ-20230914-1200-0dte-volume.html"
    assert chain_report(path, out=tmp_path / "own.html").page == tmp_path / "own.html"
    assert chain_report(path).page is None
    assert all(p.stat().st_size > 20_000 for p in folder.iterdir())


ODD = {
    "one strike": lambda t: t[t["strike"] == 100.0],
    "one contract": lambda t: t.tail(1),
    "no puts": lambda t: t[t["right"] == "C"],
    "no calls": lambda t: t[t["right"] == "P"],
    "no open interest": lambda t: t.assign(open_interest=0.0),
    "nothing held or traded": lambda t: t.assign(open_interest=0.0, volume=0.0),
    "no vols but quotes": lambda t: t.drop(columns="iv"),
    "vols but no quotes": lambda t: t.drop(columns=["bid", "ask"]),
    "spot above all strikes": lambda t: t.assign(spot=150.0),
    "spot below all strikes": lambda t: t.assign(spot=50.0),
    "crossed quotes": lambda t: t.assign(bid=t["bid"].mask(t.index % 2 == 0, t["ask"] + 1.0)),
    "contracts listed twice": lambda t: pd.concat([t, t.head(9)]),
    "years to expiry": lambda t: t[t["expiry"] == EXPIRIES[0]].assign(expiry="2025-12-19"),
    "calls and puts alike": lambda t: t.assign(open_interest=1e12),
}
SAID = {
    "one strike": "Smiles on fewer than 5 quotes",
    "no puts": "put wall, straddle in 4 of 4 expiries",
    "no open interest": "Dealers hold nothing",
    "spot above all strikes": "outside the strikes",
    "contracts listed twice": None,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_chains_give_finite_pages_that_say_what_is_odd(name, tmp_path):
    report = chain_report(saved(tmp_path, ODD[name](contracts())), out=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not NOT_A_NUMBER.search(re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL))
    json.dumps(report.summary, allow_nan=False)
    if SAID.get(name):
        assert any(SAID[name] in flag for flag in report.flags)


def test_contracts_listed_twice_are_counted(tmp_path):
    report = chain_report(saved(tmp_path, ODD["contracts listed twice"](contracts())))
    assert report.cleaning.counts["duplicated"] == 9
    assert len(report.chain) == len(contracts())


def test_a_few_negative_quotes_are_left_out_and_their_contracts_kept_and_many_refused(tmp_path):
    table = contracts()
    table.loc[[0, 30], ["bid", "ask"]] = [[-0.2, 2.0], [0.5, -0.5]]
    report = chain_report(saved(tmp_path, table))
    assert len(report.chain) == len(table)  # with their open interest
    assert "warning: 2 quotes with a bid or ask below 0 left out" in report.cleaning.notes
    table.loc[[0, 30], ["bid", "ask"]] = np.nan
    blank = chain_report(saved(tmp_path, table))
    assert report.flow.exposures.gex == blank.flow.exposures.gex
    table.loc[:3, "bid"] = -0.2
    with pytest.raises(InputError, match=r"bid: row 1 is -0.2; wanted 0 or more"):
        chain_report(saved(tmp_path, table))


WRONG = {
    "no vols, no quotes": (
        lambda t: t.drop(columns=["bid", "ask", "iv"]),
        "no live contract has a usable bid and ask or an implied vol",
    ),
    "all expired": (
        lambda t: t.assign(expiry=t["expiry"].str.replace("2023", "2022")),
        "expired by 2023-09-14",
    ),
    "negative prices": (lambda t: t.assign(bid=-2.0), "bid: row 1 is -2"),
    "open interest unknown": (lambda t: t.drop(columns="open_interest"), "open_interest"),
    "no spot": (lambda t: t.drop(columns="spot"), "give spot"),
}


@pytest.mark.parametrize("name", WRONG)
def test_impossible_chains_are_refused_in_one_line_that_names_the_file(name, tmp_path):
    change, said = WRONG[name]
    with pytest.raises(InputError, match=f"^xyz.csv: .*{re.escape(said)}") as refused:
        chain_report(saved(tmp_path, change(contracts())), out=tmp_path / "page.html")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "page.html").exists()


def test_what_is_asked_wrongly_is_refused(tmp_path):
    chain = in_memory(contracts())
    with pytest.raises(InputError, match="'parity' is for files"):
        chain_report(chain, spot="parity")
    with pytest.raises(InputError, match="no contract expires on 2023-09-15"):
        chain_report(chain, expiry="2023-09-15")
    with pytest.raises(InputError, match=r"mode: 'volum'.*did you mean 'volume'"):
        chain_report(chain, mode="volum")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        chain_report(chain, out=tmp_path / "file" / "page.html")


# -- real files -------------------------------------------------------------------------------


def naive_book(path, moment):
    """CBOE's table read with pandas alone: one row a living contract with its own figures."""
    lines = path.read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("Expiration"))
    table = pd.read_csv(io.StringIO("\n".join(lines[start:])))
    sides = []
    for symbol, end, right in (("Calls", "", 1.0), ("Puts", ".1", -1.0)):
        columns = {"IV": "iv", "Gamma": "gamma", "Open Interest": "held"}
        side = pd.DataFrame({new: table[old + end] for old, new in columns.items()})
        settles_on_open = table[symbol].str.match(r"SPX\d")
        hour = pd.to_timedelta(np.where(settles_on_open, 9.5, 16.0), "h")
        close = (pd.to_datetime(table["Expiration Date"]) + hour).dt.tz_localize(moment.tz)
        side["tau"] = (close - moment).dt.total_seconds() / 86_400 / 365
        sides.append(side.assign(strike=table["Strike"], right=right))
    both = pd.concat(sides)
    return both[both["tau"] > 0.0]


@pytest.mark.real_data
def test_gex_of_a_real_chain_is_that_of_a_naive_sum(real_data):
    report = chain_report(real_data / SPX)
    spot, rate, dividend = report.chain.spot, report.chain.rate, report.chain.dividend
    book = naive_book(real_data / SPX, report.as_of)
    assert len(book) == len(report.chain)
    known = book[book["iv"] > 0.001]
    width = known["iv"] * np.sqrt(known["tau"])
    drift = (rate - dividend) * known["tau"]
    d1 = (np.log(spot / known["strike"]) + drift) / width + 0.5 * width
    own = np.exp(-dividend * known["tau"]) * norm.pdf(d1) / (spot * width)
    cash = 100.0 * spot**2 * 0.01
    naive = float((own * known["held"] * known["right"]).sum() * cash)
    # own quotes move the gamma of each contract little, and the net is a small part of the gross
    vendor = float((book["gamma"] * book["held"] * book["right"]).sum() * cash)
    gross = report.gross["gex"]
    assert abs(report.flow.exposures.gex - naive) < 0.03 * gross
    assert abs(report.flow.exposures.gex - vendor) < 0.03 * gross
    assert_allclose(gross, float((own * known["held"]).sum() * cash), rtol=0.01)


REAL = {
    "spx": (SPX, {}),
    "spx weekend": ("chains/spx_quotedata_2024-01-07.csv", {}),
    "spy": ("chains/spy_quotedata_2023-09-14.csv", {}),
    "iwm live 0dte": ("chains/IWM_chain_2026-08-13.csv.gz", {"expiry": "0dte"}),
    "qqq": ("chains/QQQ_chain_2026-08-14.csv.gz", {}),
    "profile": ("options_flow_long/spx_0dte_profile_2026-08.csv.gz", {"as_of": "2026-08-20 11:00"}),
    "nifty": (
        "options_flow_long/nifty_chain_iv_2026-08-19.parquet",
        {"timezone": "Asia/Kolkata", "calendar": "XBOM", "symbol": "NIFTY", "multiplier": 1},
    ),
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", REAL)
def test_real_files_give_levels_near_spot_and_a_small_finite_page(name, real_data, tmp_path):
    file, options = REAL[name]
    report = chain_report(real_data / file, out=tmp_path, **options)
    page = report.page.read_text(encoding="utf-8")
    assert len(page) < 1_500_000
    assert not NOT_A_NUMBER.search(re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL))
    spot = report.chain.spot
    for level in (report.levels.call_wall, report.levels.put_wall, report.levels.max_pain):
        assert abs(level / spot - 1.0) < 0.12
    assert 0.04 < report.flow.regime.s0 < 0.4
    assert (report.expiries["forward"] / spot).between(0.97, 1.2).all()


@pytest.mark.real_data
def test_a_0dte_profile_agrees_with_its_collectors_own_totals(real_data):
    day, at = "2026-08-20", "11:00"
    report = chain_report(real_data / REAL["profile"][0], as_of=f"{day} {at}")
    table = pd.read_csv(real_data / "options_flow_long/spx_0dte_summary_2026-08.csv")
    row = table[(table["date"] == day) & (table["time"] == at)].iloc[0]
    assert report.chain.spot == row["spot"]
    # the collector's net is over all strikes, ours within 2 % of spot
    assert_allclose(report.flow.exposures.gex, row["net"], rtol=0.05)


@pytest.mark.real_data
def test_a_full_chain_takes_a_moment(real_data, tmp_path):
    chain_report(real_data / SPX, out=tmp_path)
    begun = time.perf_counter()
    chain_report(real_data / SPX, out=tmp_path)
    assert time.perf_counter() - begun < 5.0  # 0.5 s on an idle machine


WEEKEND = "2023-09-16"  # a Saturday


def test_a_date_that_is_no_session_is_named_noted_and_selected_as_listed(tmp_path):
    path = saved(tmp_path, contracts(expiries=("2023-09-14", WEEKEND, "2023-12-15")))
    report = chain_report(path)
    assert any(
        f"{2 * len(STRIKES)} contracts expire on no session, such as {WEEKEND}" in note
        for note in report.notes
    )
    assert [row["name"] for row in expiry_rows(report)] == ["2023-09-14", WEEKEND, "2023-12-15"]
    for day in (WEEKEND, "2023-09-15"):  # as listed, and the session that it ends with
        only = chain_report(path, expiry=day).chain
        assert [f"{when:%Y-%m-%d %H:%M}" for when in only.expiries] == ["2023-09-15 16:00"]
    with pytest.raises(InputError, match=rf"there are 2023-09-14, {WEEKEND}, 2023-12-15\)"):
        chain_report(path, expiry="2023-09-18")
    given = chain_report(path, coupling={WEEKEND: 0.25})
    assert given.expiries["k"].tolist().count(0.25) == 1


def test_a_market_without_closing_names_its_expiries_by_their_dates(tmp_path):
    path = saved(tmp_path, contracts(expiries=("2023-09-14", "2023-09-16")))
    whole = chain_report(path, calendar="24/7")
    assert [row["name"] for row in expiry_rows(whole)] == ["2023-09-14", "2023-09-16"]
    for day in ("0dte", "2023-09-14"):
        only = chain_report(path, calendar="24/7", expiry=day)
        assert [row["name"] for row in expiry_rows(only)] == ["2023-09-14"]
    early = chain_report(path, calendar="24/7", expiry_at="08:00")
    told = dict(assumptions(early))["Expiry"]
    assert told == "Contracts live until 08:00 of their day, by calendar 24/7."
    assert not any("no session" in note for note in early.notes)


def test_only_what_settles_on_the_open_is_called_so():
    table = contracts(expiries=("2023-09-15", "2023-09-22"))  # a third Friday
    report = chain_report(in_memory(table, symbol="SPX"))
    assert [row["name"] for row in expiry_rows(report)] == ["2023-09-15 AM", "2023-09-22"]
    assert dict(assumptions(report))["Expiry"].endswith("1 settles on the open of the day (AM).")


def test_other_choices_have_other_pages(tmp_path):
    path, folder = saved(tmp_path, contracts()), tmp_path / "results"
    choices = [
        *({"coupling": 9.0}, {"coupling": -3.0}, {"coupling": {"2023-09-22": 0.3}}, {"ssr": 1.0}),
        *({"rate": 0.03}, {"dividend": 0.02}, {"spot": 101.0}, {"range_pct": 2.0}, {}),
        *({"ssr": 1.5, "range_pct": 3.0, "futures": None}, {"multiplier": 10.0}),
    ]
    pages = [chain_report(path, out=folder, **choice).page.name for choice in choices]
    assert pages[0] == "chain-XYZ-20230914-1200-coupling=9.html"
    assert pages[8] == pages[9] == "chain-XYZ-20230914-1200.html"
    assert len(set(pages)) == len(pages) - 1
    several = {"coupling": dict.fromkeys(("2023-09-14", *DATED), 0.123456789), "rate": 0.0123456}
    long = [
        chain_report(path, out=folder, **several, dividend=d, range_pct=2.3456).page.name
        for d in (0.01, 0.02)
    ]
    assert long[0] != long[1]
    assert max(map(len, long)) < 140


def test_open_interest_of_0_is_not_called_unknown(tmp_path):
    held = contracts().assign(open_interest=0.0)
    flags = chain_report(saved(tmp_path, held), expiry="2023-09-22").flags
    assert any("all open interest is 0" in flag for flag in flags)
    assert not any("no open interest is known" in flag for flag in flags)


def test_columns_separated_by_another_mark_are_named(tmp_path):
    contracts().to_csv(tmp_path / "xyz.csv", index=False, sep=";", decimal=",")
    with pytest.raises(InputError, match=r"^xyz\.csv: its columns are separated by ';'; wanted"):
        chain_report(tmp_path / "xyz.csv")


def test_a_folder_is_called_one(tmp_path):
    (tmp_path / "chains").mkdir()
    with pytest.raises(InputError, match=r"chains: is a folder; give a file in it"):
        chain_report(tmp_path / "chains")


def test_counts_of_one_are_singular():
    one = contracts(np.array([100.0]), ("2023-09-22",)).head(1)
    report = chain_report(in_memory(one))
    said = " ".join([*report.flags, *(how for _, how in assumptions(report))])
    assert not re.search(r"\b1 (quotes|expiries|contracts)\b", said)
    assert "Raw SVI in no expiry, on 1 quote " in said
