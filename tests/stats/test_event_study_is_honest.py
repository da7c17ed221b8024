"""Without an edge the event study finds none, with one it does, as often as it says."""

import numpy as np
import pytest
import scipy.stats
from small_studies import market, sprinkled, study

import hpi_bt.stats.events as events_module
from hpi_bt.stats.correlation import information_coefficient
from hpi_bt.stats.events import event_study, signal_rows
from hpi_bt.stats.forward import checked_bars
from hpi_bt.stats.permutation import q_values
from hpi_bt.stats.pool import markets_of, pool_of

KINDS = ("random", "open", "trend", "volatility", "calm", "session", "flow")


def null_signal(kind, frame, session, seed):  # noqa: PLR0911 - one for each kind
    """A signal that knows nothing of what comes, but all of what was."""
    rng, n = np.random.default_rng(1_000_003 + seed), len(frame)
    number = np.arange(n) - np.searchsorted(session, session)
    close = frame["close"].to_numpy()
    if kind == "random":
        return sprinkled(1_000_003 + seed, n, 0.08)
    if kind == "open":
        return np.where(number < 4, sprinkled(1_000_003 + seed, n, 0.6), 0.0)
    if kind == "session":
        return rng.choice([-1.0, 0.0, 1.0], session[-1] + 1)[session]
    back = np.append(np.zeros(3), close[3:] / close[:-3] - 1.0)
    if kind == "trend":
        return np.where((number >= 3) & (np.abs(back) > back.std()), np.sign(back), 0.0)
    if kind == "volatility":
        storm = np.abs(back) > np.quantile(np.abs(back), 0.8)
        return np.where(storm, rng.choice([-1.0, 1.0], n), 0.0)
    if kind == "calm":
        swing = np.convolve(np.abs(back), np.ones(6) / 6)[:n]
        return np.where(swing < np.quantile(swing, 0.15), -1.0, 0.0)
    odds = np.log(frame["put_volume"] / frame["call_volume"]).to_numpy()
    score = (odds - odds.mean()) / odds.std()
    return np.where(np.abs(score) > 1.0, np.sign(score), 0.0)


def p_values(seeds, sessions, bar, horizons, kinds=KINDS):
    """{kind: p-values of shape (n_seeds, n_cells)} and the same of the q-values, edge 0."""
    p, q = ({kind: [] for kind in kinds} for _ in range(2))
    for seed in seeds:
        frame, session = market(seed, sessions=sessions, bar=bar)
        bars = checked_bars(frame["open"], frame["close"], session, stamps=frame.index)
        pool = pool_of(markets_of([bars], 30.0), 99, seed)  # once for all kinds of signal
        for kind in kinds:
            rows = signal_rows(pool, [null_signal(kind, frame, session, seed)], horizons)
            p[kind].append([one.row.get("p_value", np.nan) for one in rows.values()])
            q[kind].append(q_values(p[kind][-1]))
    return {k: np.array(v) for k, v in p.items()}, {k: np.array(v) for k, v in q.items()}


def check_uniform(p, q, least):
    for kind, table in p.items():
        for cell in table.T:
            found = cell[np.isfinite(cell)]
            if kind == "calm" and not found.size:
                continue  # it fires in one direction only
            assert found.size > 0.75 * cell.size, kind  # else too few sessions drew a direction
            # the p-values are multiples of 1/(1 + permutations): shifted by half a step
            assert scipy.stats.kstest(found - 0.005, "uniform").pvalue > least, kind
            for level in (0.05, 0.1):
                often = scipy.stats.binomtest(int((found <= level).sum()), found.size, level)
                assert often.pvalue > least, (kind, level)
        lucky = int((q[kind] <= 0.2).any(axis=1).sum())
        some = scipy.stats.binomtest(lucky, len(table), 0.2, alternative="greater")
        assert some.pvalue > least, kind  # tables with any discovery, all of them false


def test_without_edge_p_is_uniform_whatever_the_signal_follows():
    p, q = p_values(range(40), 30, "30min", (1, "close"))
    check_uniform(p, q, 1e-3)


@pytest.mark.slow
def test_without_the_noise_of_the_baseline_signals_of_calm_are_found_too_often(monkeypatch):
    # why p does not compare the column t: its error is that of the events alone
    without = events_module.whole_t
    monkeypatch.setattr(events_module, "whole_t", lambda s, n, b: without(s, n, 0.0 * b))
    p, _ = p_values(range(200), 60, "5min", (1, 6, "close"), ("calm",))
    calm = p["calm"][:, 3:]
    assert np.isfinite(calm).all()
    assert (calm <= 0.05).mean() > 0.065


def test_errors_that_ignore_the_sessions_find_what_is_not_there():
    # the yardstick of the two tests above: the same markets, events taken as independent
    false = 0
    for seed in range(40):
        frame, session = market(seed, bar="30min")
        signal = null_signal("session", frame, session, seed)
        forward = checked_bars(frame["open"], frame["close"], session).forward("close")
        known = np.isfinite(forward) & (signal > 0)
        found = scipy.stats.ttest_1samp(forward[known] - np.nanmean(forward), 0.0)
        false += found.pvalue <= 0.05
    assert false >= 12  # 5 % would be 2


def power(seeds, edge, sessions, bar):
    """How often a planted edge is found, how often `detectable` says, and its mean effect."""
    found, expected, effects, errors = [], [], [], []
    for seed in seeds:
        frame, session = market(seed, sessions=sessions, bar=bar, edge=edge)
        signal = null_signal("flow", frame, session, seed)
        table = study(frame, session, signal, horizons=(1,), seed=seed)
        found.append(table["p_value"].to_numpy() <= 0.05)
        effects.append(table["effect"].to_numpy())
        errors.append(table["detectable"].to_numpy() / 3.08)  # its limit for many sessions
    effect = np.mean(effects, axis=0)
    expected = scipy.stats.norm.cdf(effect / np.array(errors) - 1.96).mean()
    return np.array(found), float(expected), effect


def check_power(found, expected):
    # the two directions of a market are nearly independent
    outcome = scipy.stats.binomtest(int(found.sum()), found.size, expected)
    assert outcome.pvalue > 1e-3, (found.mean(), expected)


def test_a_planted_edge_is_found_as_often_as_the_power_figure_says():
    found, expected, effect = power(range(40), 0.2, 30, "15min")
    assert 0.3 < expected < 0.95
    assert (effect > 0.0).all()
    check_power(found, expected)


def test_a_large_planted_edge_is_never_missed():
    found, expected, _ = power(range(5), 0.5, 60, "15min")
    assert expected > 0.98
    assert found.all()


# --- daily bars: horizons as long as the blocks, signals that last for months ---


def trend_state(seed, n=1000, days=80):
    """The move of the last `days` days, and a market's closes; the next day knows nothing of it."""
    rng = np.random.default_rng(seed)
    path = np.cumsum(0.01 * rng.normal(size=n + days))
    return path[days:] - path[:-days], 100 * np.exp(path[days:])


def test_without_edge_a_lasting_trend_of_daily_bars_is_found_as_often_as_chance_finds_it():
    # with blocks that share returns 11 and 13 % of the states at 21 bars, 14 % of the coefficients
    p = []
    for seed in range(200):
        line, close = trend_state(seed)
        opens, day = np.append(close[0], close[:-1]), np.arange(close.size)
        options = {"horizons": (5, 21), "permutations": 99, "seed": seed}
        events = event_study(opens, close, np.sign(line), day, **options)["p_value"]
        ranks = information_coefficient(line, opens, close, day, (5, 21))["p_value"]
        p.append([*events, *ranks])
    often = (np.array(p) <= 0.05).mean(axis=0)
    # both directions are one test twice over; 5 % +- 3 errors of 200 trials
    assert (often < 0.096).all(), often
    assert often.mean() < 0.08, often
    assert often[:4].mean() > 0.02, often


# --- few sessions with events ---

LENGTH = 60


def few_events(seed, many, edge):
    """The study of `many` sessions of 60 with one event each, after which price moves by `edge`."""
    rng = np.random.default_rng(seed)
    storm = np.exp(0.3 * rng.normal(size=(LENGTH, 1)))
    move = 0.001 * storm * rng.normal(size=(LENGTH, 20))
    day, at = rng.choice(LENGTH, many, replace=False), rng.integers(2, 15, many)
    move[day, at + 1] += edge
    signal = np.zeros(move.shape)
    signal[day, at] = 1.0
    close = 100 * np.exp(np.cumsum(move))
    session = np.repeat(np.arange(LENGTH), 20)
    opens = np.append(100.0, close[:-1])
    options = {"horizons": (1,), "permutations": 199, "seed": seed}
    return event_study(opens, close, signal.ravel(), session, **options).loc[(1, 1)]


@pytest.mark.parametrize("many", [8, 10, 15, 30])
def test_the_interval_and_the_detectable_edge_hold_with_few_sessions(many):
    none = [few_events(seed, many, 0.0) for seed in range(200)]
    missed = np.array([row["low"] > 0.0 or row["high"] < 0.0 for row in none])
    found = np.array([row["p_value"] <= 0.05 for row in none])
    assert found.mean() < 0.09
    assert missed.mean() < 0.09  # plain percentiles: 0.12 at 8 sessions
    assert (missed != found).mean() < 0.06
    edge = 0.002
    held = [few_events(seed, many, edge) for seed in range(200, 400)]
    assert 0.91 <= np.mean([row["low"] < edge < row["high"] for row in held]) <= 1.0
    found = [
        few_events(seed, many, row["detectable"])["p_value"] <= 0.05
        for seed, row in enumerate(none)
    ]
    assert 0.73 <= np.mean(found) <= 0.87, np.mean(found)  # four times in five
