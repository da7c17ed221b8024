"""How a line orders what follows: tenths of its values (definitions 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.stats.pairs import Pair, over_far, width_of
from hpi_bt.stats.permutation import clustered


def decile_table(
    line: npt.ArrayLike,
    forward_return: npt.ArrayLike,
    *,
    groups: int = 10,
    session: npt.ArrayLike | None = None,
) -> pd.DataFrame:
    """Return what followed each tenth of a line's values.

    Parameters
    ----------
    line, forward_return : array of shape (n_bars,)
        Bars on which either is NaN are left out.
    groups : int, default=10
    session : array of int, shape (n_bars,), optional
        Cluster of each bar for t; without it each bar is its own.

    Returns
    -------
    table : DataFrame, index decile (1 holds the lowest values)
        n, low and high (of the line), mean, median and hit_rate (share above 0) of the forward
        return, excess (mean minus that of all bars) and t (excess over its clustered standard
        error).

    Raises
    ------
    InputError
        Lengths differ, `groups` below 2, or fewer known bars than groups.

    Notes
    -----
    Decile = floor(groups (rank - 1/2)/n) + 1 with equal values sharing their average rank, so
    they stay together; a tenth that is empty for that reason has no row. The cuts are those of
    the whole sample: this describes, it is no rule one could have traded.
    """
    return pooled_decile_table([_checked_pair(line, forward_return, session)], groups=groups)


def pooled_decile_table(pairs: Sequence[Pair], *, groups: int = 10) -> pd.DataFrame:
    """Return what followed each tenth of a line's values, each symbol ranked by itself.

    Parameters
    ----------
    pairs : sequence of Pair
        One per symbol; clusters are common to all.
    groups : int, default=10

    Returns
    -------
    table : DataFrame
        As `decile_table`; excess is the mean of the pairs' abnormal returns. On daily bars excess
        and t are those of the single days' moves (`hpi_bt.stats.steps`) against the bars more than
        a year, or a quarter of the data, away, as the p-value of the rank correlation has them: a
        trend would else seem to turn against itself.

    Raises
    ------
    InputError
        As `decile_table`.
    """
    known = [pair.known() for pair in pairs]
    least = min((pair.line.size for pair in known), default=0)
    if groups < 2 or least < groups:
        raise InputError(
            f"groups: {groups} for {least} bars with both values; give at least 2 groups and as "
            "many bars"
        )
    tenths = [_tenths(pair, groups) for pair in known]
    every = np.unique(np.concatenate(tenths))
    rows = {int(d): _tenth(known, [own == d for own in tenths]) for d in every}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("decile")


def _tenths(pair: Pair, groups: int) -> IntArray:
    share = (pair.ranks.rank - 0.5) / pair.line.size
    return np.floor(groups * share).astype(np.int64) + 1


def _checked_pair(
    line: npt.ArrayLike, forward_return: npt.ArrayLike, session: npt.ArrayLike | None
) -> Pair:
    x, y = (np.asarray(a, dtype=np.float64) for a in (line, forward_return))
    ids = np.arange(x.size) if session is None else np.asarray(session)
    if x.ndim != 1 or x.shape != y.shape or x.shape != ids.shape:
        raise InputError(
            f"line: shapes {x.shape}, forward_return {y.shape}, session {ids.shape}; "
            "give one value per bar"
        )
    cluster = np.asarray(np.unique(ids, return_inverse=True)[1]).reshape(-1)
    both = np.isfinite(x) & np.isfinite(y)
    return Pair(x, y, y - (y[both].mean() if both.any() else math.nan), cluster)


def _tenth(pairs: Sequence[Pair], inside: Sequence[BoolArray]) -> dict[str, float]:
    """Return the row of the bars `inside` a group, known ones of several symbols."""
    line, own, over = (
        np.concatenate([getattr(p, name)[here] for p, here in zip(pairs, inside, strict=True)])
        for name in ("line", "forward", "abnormal")
    )
    width = width_of(pairs)
    sums, counts = np.zeros((2, width))
    for pair, here in zip(pairs, inside, strict=True):
        weight = here.astype(np.float64)
        if pair.steps is None:
            part = pair.sums(weight, pair.abnormal, width)
        else:
            moves = pair.steps.moves
            far = pair.sums(over_far(weight), moves, width)
            part = far[0], pair.sums(weight, moves, width)[1]
        sums, counts = sums + part[0], counts + part[1]
    found = clustered(sums, counts)
    daily = any(pair.steps is not None for pair in pairs)
    excess = float(found.effect) if daily else float(over.mean())
    return {
        "n": own.size,
        "low": float(line.min()),
        "high": float(line.max()),
        "mean": float(own.mean()),
        "median": float(np.median(own)),
        "hit_rate": float((own > 0.0).mean()),
        "excess": excess,
        "t": excess / float(found.se),
    }
