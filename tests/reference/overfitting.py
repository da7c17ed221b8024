"""Definitions 9: Sharpe ratios under selection, by many digits and by plain loops."""

from __future__ import annotations

from itertools import combinations
from math import log
from statistics import mean, stdev
from typing import NamedTuple

import mpmath


def normal_quantile(p):
    """Z(p) from the inverse error function, to mpmath's working precision."""
    return mpmath.sqrt(2) * mpmath.erfinv(2 * mpmath.mpf(p) - 1)


def sharpe_variance(sharpe, skew, kurtosis):
    """n - 1 times the variance of an estimated Sharpe ratio."""
    sr = mpmath.mpf(sharpe)
    return 1 - skew * sr + mpmath.mpf(kurtosis - 1) / 4 * sr**2


def probabilistic_sharpe(sharpe, n, skew, kurtosis, benchmark):
    above = mpmath.mpf(sharpe) - mpmath.mpf(benchmark)
    return mpmath.ncdf(
        above * mpmath.sqrt(n - 1) / mpmath.sqrt(sharpe_variance(sharpe, skew, kurtosis))
    )


def expected_max_sharpe(trials, trials_variance):
    n, g = mpmath.mpf(trials), mpmath.euler
    first, second = normal_quantile(1 - 1 / n), normal_quantile(1 - 1 / (n * mpmath.e))
    return mpmath.sqrt(trials_variance) * ((1 - g) * first + g * second)


def expected_max_normal(trials):
    """The exact mean of the largest of N standard normals: the integral of x d(Phi(x)^N)."""
    density = lambda x: x * trials * mpmath.npdf(x) * mpmath.ncdf(x) ** (trials - 1)  # noqa: E731
    return mpmath.quad(density, [-8, -4, 0, 2, 4, 6, 9])


def min_track_record_length(sharpe, skew, kurtosis, benchmark, confidence):
    above = mpmath.mpf(sharpe) - mpmath.mpf(benchmark)
    return 1 + sharpe_variance(sharpe, skew, kurtosis) * (normal_quantile(confidence) / above) ** 2


class Split(NamedTuple):
    best: int
    inside: float
    outside: float
    logit: float


def sharpe(returns):
    """Mean over standard deviation; a constant series has 0."""
    return mean(returns) / stdev(returns) if max(returns) > min(returns) else 0.0


def cross_validation(rows, blocks):
    """One `Split` per choice of half the blocks; `rows` is a list of rows, one value per trial."""
    rows = rows[len(rows) % blocks :]
    size = len(rows) // blocks
    cut = [rows[b * size : (b + 1) * size] for b in range(blocks)]
    trials = range(len(rows[0]))
    out = []
    for chosen in combinations(range(blocks), blocks // 2):
        fit = [row for b in chosen for row in cut[b]]
        test = [row for b in range(blocks) if b not in chosen for row in cut[b]]
        inside = [sharpe([row[k] for row in fit]) for k in trials]
        outside = [sharpe([row[k] for row in test]) for k in trials]
        best = inside.index(max(inside))
        below = sum(s < outside[best] for s in outside)
        equal = sum(s == outside[best] for s in outside)
        omega = (below + (equal + 1) / 2) / (len(trials) + 1)
        out.append(Split(best, inside[best], outside[best], log(omega / (1 - omega))))
    return out
