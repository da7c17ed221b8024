import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from small_studies import FAST, market, pane, some_trades, sprinkled, subject

from hpi_bt.backtest.alerting import alert_bars, directions
from hpi_bt.errors import InputError
from hpi_bt.stats.correlation import information_coefficient
from hpi_bt.stats.deciles import decile_table
from hpi_bt.stats.entries import entry_test
from hpi_bt.stats.events import COLUMNS, EventInput, event_study, pooled_event_study
from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.permutation import q_values
from hpi_bt.stats.study import Subject, signal_study
from hpi_bt.stats.timing import timing_test

law = settings(max_examples=8, deadline=None)
REGIME = (pane("regime"), lambda f: np.where(f["close"].diff(5) > 0, 1.0, -1.0))
NEVER = (pane("never", kind="event", up="bid", down="offer"), lambda f: np.zeros(len(f)))


def inputs(one, column="I.pulse"):
    b = one.bars
    return EventInput(b["open"], b["close"], b[column], b["session"], b.index)


# --- what it holds ---


def test_bars_and_episodes_of_a_signal_that_lasts_by_hand():
    def one(symbol):
        values = [1.0, 1.0, 0.0, 1.0, -1.0, -1.0, np.nan, -1.0]
        state = (pane("state"), lambda f: np.r_[values, np.zeros(len(f) - 8)])
        return subject(1, symbol=symbol, sessions=4, lines=[state])

    def counted(*subjects):
        events = signal_study(subjects, permutations=99, horizons=(1,)).events
        rows = events[events["signal"] == "I.state"].set_index("label")
        return rows[["n", "episodes"]].to_numpy().tolist()

    assert counted(one("A")) == [[3, 2], [3, 2]]
    assert counted(one("A"), one("B")) == [[6, 4], [6, 4]]


@law
@given(st.integers(0, 999))
def test_episodes_are_the_alerts_of_the_line(seed):
    one = subject(seed % 20, lines=[REGIME])
    events = signal_study([one], seed=seed, **FAST).events
    for (column, side), rows in events.groupby(["signal", "direction"]):
        line = one.bars[column].to_numpy()
        assert set(rows["episodes"]) == {int((directions(line[alert_bars(line)]) == side).sum())}


@pytest.mark.parametrize(
    ("dates", "regular"),
    [
        (pd.bdate_range("2020-01-01", periods=300), True),
        (pd.date_range("2020-01-01", periods=300), True),
        (pd.date_range("2020-01-01", periods=300, freq="W"), False),
        (pd.date_range("2020-01-01", periods=300, freq="MS"), False),
        (pd.bdate_range("2020-01-01", periods=400)[np.arange(400) % 21 < 15], False),
    ],
)
def test_daily_bars_are_regular_unless_they_are_longer_or_have_holes(dates, regular):
    session = np.array([d.toordinal() for d in dates])
    prices = np.ones(len(dates))
    bars = checked_bars(prices, prices, session, stamps=dates.tz_localize("UTC"))
    assert bars.daily
    assert bars.regular is regular


def test_intraday_bars_are_regular_unless_one_in_a_hundred_is_missing():
    one = subject(3)
    assert signal_study([one], **FAST).regular
    for every, regular in ((7, False), (400, True)):
        kept = one.bars[np.arange(len(one.bars)) % every > 0]
        assert signal_study([one._replace(bars=kept)], **FAST).regular is regular
    plain = checked_bars(one.bars["open"], one.bars["close"], one.bars["session"])
    assert not plain.regular  # of unknown times nothing can be said


@law
@given(st.integers(0, 999))
def test_every_row_is_that_of_the_event_study_and_q_counts_all_of_them(seed):
    one = subject(seed % 20, lines=[REGIME])
    study = signal_study([one], seed=seed, **FAST)
    assert list(study.events["signal"].unique()) == ["I.pulse", "I.regime"]
    for column, rows in study.events.groupby("signal"):
        alone = event_study(*inputs(one, column)[:4], stamps=one.bars.index, seed=seed, **FAST)
        want = alone.drop(columns=["q_value", "detectable", "p_value"]).reset_index()
        got = rows[want.columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(got, want, check_dtype=False)
        p, more = alone["p_value"].to_numpy(), rows["p_value"].to_numpy()
        clear = p > 0.06
        assert_allclose(more[clear], p[clear])
        assert_allclose(more[~clear], p[~clear], atol=0.04)  # from more permutations
        alone_least = alone["detectable"].to_numpy()
        assert (rows["detectable"].to_numpy() > alone_least)[np.isfinite(alone_least)].all()
    assert_allclose(study.events["q_value"], q_values(study.events["p_value"], 2))  # and of lines
    assert list(study.events.columns[6:]) == list(COLUMNS)


def test_measured_lines_have_their_tenths_and_their_rank_correlations():
    one = subject(3)
    study = signal_study([one], **FAST)
    b = one.bars
    want = information_coefficient(
        *(b["I.score"], b["open"], b["close"], b["session"], (1, 4)), stamps=b.index
    )
    got = study.coefficients.set_index("horizon")
    numbers = ["n", "ic", "t", "p_value"]
    assert_allclose(got.loc[[1, 4], numbers].astype(float), want[numbers])
    assert_allclose(got["q_value"], q_values(got["p_value"], 2))  # signals have the other half
    session = b["session"].to_numpy()
    forward = np.where(
        np.append(session[1:] == session[:-1], False),
        b["close"].shift(-1) / b["open"].shift(-1),
        np.nan,
    )
    tenths = study.deciles[study.deciles["horizon"].eq(1).to_numpy()].set_index("decile")
    table = decile_table(b["I.score"], forward - 1.0, session=session)
    assert_allclose(tenths[table.columns[:-2]].astype(float), table.iloc[:, :-2])
    # what is over the mean of all bars lies near what is over that of the same time of day
    assert_allclose(tenths["excess"], table["excess"], atol=0.3 * table["excess"].abs().max())


def test_entries_are_tested_on_the_subjects_own_trades():
    one = subject(4)
    trades = some_trades(one.bars)
    strange = trades.assign(data="B", exit_price=1.0)
    with_others = one._replace(trades=pd.concat([trades, strange], ignore_index=True))
    ((name, test),) = signal_study([with_others], **FAST).entries
    b = one.bars
    want = entry_test(trades, b["open"], b["close"], b["session"], stamps=b.index, draws=120)
    assert name == "A"
    # one of three questions: signals, lines, entries
    assert test == want._replace(q_value=min(1.0, 3 * want.p_value), detectable=test.detectable)
    assert test.detectable > want.detectable
    unnamed = signal_study([one._replace(trades=trades.drop(columns="data"))], **FAST)
    assert unnamed.entries == ((name, test),)
    nameless = with_others._replace(
        symbol="", trades=with_others.trades.replace({"data": {"A": np.nan}})
    )
    assert signal_study([nameless], **FAST).entries == (("", test),)


def test_scaled_positions_are_tested_by_their_timing_and_others_by_their_entries():
    one = subject(2)
    n = len(one.bars)
    trades = some_trades(one.bars)
    steps = np.random.default_rng(1).choice([0.0, 1.0, 2.0], n // 6 + 1).repeat(6)[:n]
    account = pd.DataFrame({"position": steps, "exposure": steps / 2, "exposure_open": steps / 2})
    study = signal_study([one._replace(trades=trades, account=account)], **FAST)
    ((name, got),) = study.timing
    assert (name, study.entries) == ("A", ())
    frame = one.bars
    want = timing_test(
        account, frame["open"], frame["close"], frame["session"],
        stamps=frame.index, shifts=120,
    )  # fmt: skip
    assert got == want._replace(q_value=min(1.0, 3 * want.p_value))
    flat = account.assign(position=np.minimum(steps, 1.0))
    study = signal_study([one._replace(trades=trades, account=flat)], **FAST)
    assert (study.timing, len(study.entries)) == ((), 1)
    old = account.drop(columns=["exposure", "exposure_open"])
    study = signal_study([one._replace(trades=trades, account=old)], **FAST)
    assert (study.timing, study.entries) == ((), ())
    assert study.notes[-1].startswith("A: timing was not tested (account: no column 'exposure' ")


def test_symbols_are_pooled_and_a_line_of_one_alone_is_its_own():
    a, b = subject(5, lines=[REGIME]), subject(6, symbol="B")
    study = signal_study([a, b], **FAST)
    assert study.symbols == ("A", "B")
    assert study.bars == len(a.bars) + len(b.bars)
    pooled = pooled_event_study([inputs(a), inputs(b)], **FAST)
    alone = event_study(*inputs(a, "I.regime")[:4], stamps=a.bars.index, **FAST)
    for column, want, having in (("I.pulse", pooled, 2), ("I.regime", alone, 1)):
        rows = study.events[study.events["signal"].eq(column).to_numpy()]
        assert (rows["symbols"] == having).all()
        for name in ("n", "effect", "t", "p_value", "low"):
            assert_allclose(rows[name], want[name], err_msg=f"{column} {name}")


def test_a_symbol_pooled_with_its_copy_is_ranked_no_more_surely_than_alone():
    one = subject(7)
    alone, both = (signal_study(s, **FAST) for s in ([one], [one, one._replace(symbol="B")]))
    assert_allclose(both.coefficients["n"], 2 * alone.coefficients["n"])
    assert_allclose(both.coefficients[["ic", "t"]], alone.coefficients[["ic", "t"]])
    assert_allclose(both.deciles[["excess", "t"]], alone.deciles[["excess", "t"]])


def test_symbols_are_ranked_each_by_itself():
    a, b = subject(8), subject(9, symbol="B")
    far = b._replace(bars=b.bars.assign(**{"I.score": b.bars["I.score"] * 1e6 + 1e9}))
    near, apart = (signal_study([a, other], **FAST) for other in (b, far))
    assert_allclose(near.coefficients[["ic", "t"]], apart.coefficients[["ic", "t"]])
    assert_allclose(near.deciles["excess"], apart.deciles["excess"])


def test_a_planted_edge_is_found_and_a_random_pulse_is_not():
    flow = (
        pane("flow", kind="event"),
        lambda f: np.sign(np.log(f["put_volume"] / f["call_volume"]).round(0)),
    )
    one = subject(2, edge=0.6, sessions=60, lines=[flow])
    study = signal_study([one], horizons=(1,), permutations=499)
    q = study.events.set_index(["signal", "direction"])["q_value"]
    assert (q["I.flow"] < 0.05).all()
    assert (q["I.pulse"] > 0.05).all()


# --- horizons ---


def test_horizons_that_no_session_holds_are_left_out_and_named():
    study = signal_study([subject(1)], permutations=99)  # 26 bars of 15 minutes a session
    assert study.horizons == (1, 5, 15, "close")
    assert study.notes[0] == ("horizons left out, as longer than every session (26 bars): 30, 60")
    assert study.bar_minutes == 15.0
    assert not study.daily


def daily(n):
    index = pd.date_range("2020-01-01", periods=n, freq="D", tz="UTC")
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 0.01, n)))
    bars = pd.DataFrame({"open": close, "close": close, "session": np.arange(float(n))}, index)
    return Subject("D", bars.assign(**{"I.x": sprinkled(1, n, 0.4)}), [pane("x", kind="event")])


def test_daily_bars_have_horizons_of_days():
    study = signal_study([daily(300)], permutations=99)
    assert study.horizons == (1, 5, 10, 21)
    assert study.daily
    assert np.isnan(study.bar_minutes)
    short = signal_study([daily(15)], permutations=99)
    assert short.horizons == (1, 5, 10)
    assert short.notes[:2] == (
        "horizons left out, as longer than the data (15 bars): 21",
        "1 block of 21 bars in the data: p-values need 8 with events",
    )


# --- what cannot be said ---


def test_kinds_that_never_occurred_have_a_note_and_no_row():
    study = signal_study([subject(1, lines=[NEVER])], **FAST)
    bars = f"{study.bars:,}"
    assert study.notes == tuple(
        f"{text}: none in {bars} bars, so nothing can be said" for text in ("bid", "offer")
    )
    assert "I.never" not in set(study.events["signal"])
    one_sided = (pane("long", kind="event", up="go"), lambda f: np.abs(sprinkled(9, len(f))))
    quiet = signal_study([subject(1, lines=[one_sided])], **FAST)
    assert quiet.notes == ()
    assert set(quiet.events.query("signal == 'I.long'")["direction"]) == {1}


def test_two_kinds_of_one_name_are_told_apart():
    other = pane("never", kind="event", up="bid", down="offer") | {"column": "J.n", "label": "J"}
    study = signal_study([subject(1, lines=[NEVER, (other, NEVER[1])])], **FAST)
    assert [note.partition(":")[0] for note in study.notes] == [
        *("bid (I)", "offer (I)", "bid (J)", "offer (J)"),
    ]


def test_a_line_that_cannot_be_ranked_and_trades_of_other_bars_are_noted():
    flat = (pane("flat", kind="histogram"), lambda f: np.full(len(f), 2.5))
    one = subject(1, lines=[flat])
    trades = some_trades(one.bars)
    wrong = one._replace(trades=trades.assign(exit_bar=10**6))
    study = signal_study([wrong], **FAST)
    assert study.notes[0] == f"I.flat: {study.bars:,} known values, too few or too alike to rank"
    assert study.notes[1].startswith("A: entries were not tested (trades: row 0 runs from bar")
    none = signal_study([one._replace(trades=trades[:0])], **FAST)
    assert none.notes[1] == "A: entries were not tested (no trade)"
    assert none.entries == ()


def test_a_run_without_any_signal_has_an_empty_study_that_says_so():
    study = signal_study([subject(1)._replace(panes=[])], **FAST)
    assert study.notes == (
        'no signal: no line is declared as an "event" or is -1, 0 or 1 throughout',
    )
    assert study.events.empty
    assert study.deciles.empty
    assert study.coefficients.empty


def test_few_sessions_are_said_once():
    study = signal_study([subject(1, sessions=5)], **FAST)
    assert study.notes == ("5 sessions in the data: p-values need 8 with events",)
    assert study.events["p_value"].isna().all()
    assert study.events["q_value"].isna().all()


def test_times_come_from_the_calendar_else_from_the_clock_naive_stamps_too():
    one = subject(1)
    first = pd.Series(one.bars.index).groupby(one.bars["session"].to_numpy()).transform("first")
    minutes = (one.bars.index - pd.DatetimeIndex(first)) / pd.Timedelta(minutes=1) + 15.0
    naive = one.bars.tz_localize(None)
    tables = [
        signal_study([one._replace(bars=bars)], **FAST).events
        for bars in (
            one.bars,
            naive,
            one.bars.assign(minutes_open=minutes),
            one.bars.assign(minutes_open=np.nan),
        )
    ]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])


def test_a_study_repeats_with_its_seed_and_changes_no_input():
    one = subject(3)
    before = one.bars.copy()
    tables = [signal_study([one], seed=s, **FAST).events for s in (1, 1, 2)]
    pd.testing.assert_frame_equal(tables[0], tables[1])
    assert not tables[0]["p_value"].equals(tables[2]["p_value"])
    pd.testing.assert_frame_equal(one.bars, before)


# --- refusals ---


@pytest.mark.parametrize(
    ("subjects", "options", "message"),
    [
        ([], {}, "subjects: none; give at least one"),
        ([subject(1)], {"horizons": (26,)}, "horizons: 26 bars, but the longest session has 26"),
        ([subject(1)], {"permutations": 98}, "permutations: 98; give at least 99, better 1000"),
        ([daily(1)], {}, "bars: 1 in the data; a study needs more than one"),
        ([subject(1), daily(30)], {}, "daily and intraday bars together"),
        (
            [subject(1)._replace(bars=market(1)[0])], {}, "A: no column 'session'",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_studied_is_refused_in_one_line(subjects, options, message):
    with pytest.raises(InputError, match=message) as refusal:
        signal_study(subjects, **options)
    assert "\n" not in str(refusal.value)
