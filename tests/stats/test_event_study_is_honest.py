"""Without an edge the event study finds none, with one it does, as often as it says."""

import numpy as np
import pytest
import scipy.stats
from small_studies import market, sprinkled, study

import hpi_bt.stats.events as events_module
from hpi_bt.stats.forward import checked_bars

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


def p_values(seeds, sessions, bar, kinds=KINDS, **options):
    """{kind: p-values of shape (n_seeds, n_cells)} and the same of the q-values, edge 0."""
    p, q = ({kind: [] for kind in kinds} for _ in range(2))
    for seed in seeds:
        frame, session = market(seed, sessions=sessions, bar=bar)
        for kind in kinds:
            signal = null_signal(kind, frame, session, seed)
            table = study(frame, session, signal, seed=seed, **options)
            p[kind].append(table["p_value"].to_numpy())
            q[kind].append(table["q_value"].to_numpy())
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
    p, q = p_values(range(40), 30, "30min", horizons=(1, "close"))
    check_uniform(p, q, 1e-3)


@pytest.mark.slow
def test_without_edge_p_is_uniform_over_200_markets():
    check_uniform(*p_values(range(200), 60, "5min", horizons=(1, 6, "close")), 1e-3)


@pytest.mark.slow
def test_without_the_noise_of_the_baseline_signals_of_calm_are_found_too_often(monkeypatch):
    # why p does not compare SPEC's t: its error is that of the events alone
    without = events_module.whole_t
    monkeypatch.setattr(events_module, "whole_t", lambda s, n, b: without(s, n, 0.0 * b))
    p, _ = p_values(range(200), 60, "5min", kinds=("calm",), horizons=(1, 6, "close"))
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
        errors.append(table["detectable"].to_numpy() / 2.8)
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


@pytest.mark.slow
@pytest.mark.parametrize("edge", [0.05, 0.1, 0.15])
def test_the_power_figure_holds_over_200_markets(edge):
    check_power(*power(range(200), edge, 45, "5min")[:2])


def test_a_large_planted_edge_is_never_missed():
    found, expected, _ = power(range(5), 0.5, 60, "15min")
    assert expected > 0.99
    assert found.all()
