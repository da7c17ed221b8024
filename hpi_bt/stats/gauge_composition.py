"""Which components each row of the gauge rests on: where one is left out, where the set changes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd


class Gap(NamedTuple):
    """Sessions in a row without a component's score; `last` is None where they go on."""

    first: pd.Timestamp
    last: pd.Timestamp | None
    sessions: int


class Change(NamedTuple):
    """A row whose components are not those of the row before."""

    row: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]


def left_out(scores: pd.DataFrame) -> dict[str, list[Gap]]:
    """Return where each component has no score after its first one.

    Parameters
    ----------
    scores : DataFrame of shape (n_rows, n_components)
        By session, oldest first; NaN where there is none.

    Returns
    -------
    gaps : dict of str to list of Gap
        Oldest first; components without any are absent.
    """
    days = pd.DatetimeIndex(scores.index)
    found: dict[str, list[Gap]] = {}
    for name, column in scores.items():
        absent = column.isna().to_numpy()
        absent = absent & np.logical_or.accumulate(~absent)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], absent, [False])).astype(np.int8)))
        for first, after in edges.reshape(-1, 2).tolist():
            last = None if after == len(days) else days[after - 1]
            found.setdefault(str(name), []).append(Gap(days[first], last, after - first))
    return found


def changes(scores: pd.DataFrame) -> list[Change]:
    """Return where the set of components that have a score changes, oldest first.

    Parameters
    ----------
    scores : DataFrame of shape (n_rows, n_components)

    Notes
    -----
    The first row is no change.
    """
    there = scores.notna().to_numpy()
    names = [str(name) for name in scores]
    found = []
    for row in (np.flatnonzero((there[1:] != there[:-1]).any(axis=1)) + 1).tolist():
        now, was = there[row], there[row - 1]
        gained = tuple(n for n, new in zip(names, now & ~was, strict=True) if new)
        lost = tuple(n for n, old in zip(names, was & ~now, strict=True) if old)
        found.append(Change(row, gained, lost))
    return found
