"""Whether option chains are of the bars' underlying, and the features that read chains."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Iterable
from datetime import date
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.features.base import Feature
from hpi_bt.sources.base import Settings
from hpi_bt.sources.hours import counted, session_ordinals
from hpi_bt.sources.splits import splits_of

SPOT = "spot"  # column of a feature's rows: the underlying's price in each snapshot
SYMBOLS = "symbols"  # key of their `attrs`: what the chains are of
#: Key of a frame's `attrs`: the symbol that its config gives the bars, not that of a file's name.
BARS_SYMBOL = "bars_symbol"

#: Roots of weekly or mini options: the underlying.
_ROOTS = {"SPXW": "SPX", "NDXP": "NDX", "RUTW": "RUT", "VIXW": "VIX"}


class Underlying(Settings):
    """Which chains are used for which bars, where the two are of different underlyings."""

    chains: str = Field(min_length=1)
    """Symbol of the chains' underlying: SPX."""
    bars: str = Field(min_length=1)
    """Symbol of the bars: ES."""


class ChainFeature(Feature, ABC):
    """A feature that reads option chains; they must be of the bars' underlying."""

    underlying: Underlying | None = None
    """Where chains of one underlying are meant for bars of another: {chains: SPX, bars: ES}."""
    spot_tolerance: float = Field(0.02, gt=0, allow_inf_nan=False)
    """Most that the chains' spot may differ from the bars' close, at the median; 0.02 is 2 %."""
    splits: dict[date, Annotated[float, Field(gt=0, le=100)]] | None = None
    """Splits for which strikes and open interest of earlier chains are adjusted, as in the data
    section, whose own are taken by default; Yahoo's bars need them here alone."""

    def splits_for(self, frame: pd.DataFrame) -> dict[date, float]:
        """Return the splits for which the chains are adjusted."""
        return splits_of(frame) if self.splits is None else self.splits

    def check_underlying(
        self, frame: pd.DataFrame, rows: pd.DataFrame, calendar: str
    ) -> list[Note]:
        """Return what is to be said of chains that are of another underlying, as given.

        Parameters
        ----------
        frame : DataFrame
            Bars.
        rows : DataFrame
            Of the feature, with `SPOT`, by the moment of each snapshot; `SYMBOLS` in `attrs`.
        calendar : str

        Raises
        ------
        InputError
            The symbols differ, or the median of |spot / close - 1| exceeds `spot_tolerance`, and
            `underlying` does not say so.
        """
        bars = str(frame.attrs.get(BARS_SYMBOL, ""))
        chains = [str(symbol) for symbol in rows.attrs.get(SYMBOLS, ()) if symbol]
        away = spot_distances(frame, rows, calendar)
        if self.underlying is None or _same(self.underlying.chains, self.underlying.bars):
            self._refuse_other(chains, bars, away)
            return []
        for meant, found, what in (
            (self.underlying.chains, chains, "chains"),
            (self.underlying.bars, [bars] if bars else [], "bars"),
        ):
            odd = [symbol for symbol in found if not _same(symbol, meant)]
            if odd:
                raise InputError(
                    f"{meant}, but the {what} are of {odd[0]}",
                    where=self.label,
                    field=f"underlying.{what}",
                    remedy="correct it",
                )
        ratio = f"{np.median(away) + 1.0:.4g} times their close" if len(away) else "not compared"
        text = (
            f"chains of {self.underlying.chains} are used for bars of {self.underlying.bars}, as "
            f"given; spot {ratio} at the median; levels are prices of {self.underlying.chains}"
        )
        return [Note(Severity.ASSUMPTION, "other-underlying", text, self.label)]

    def _refuse_other(self, chains: list[str], bars: str, away: FloatArray) -> None:
        odd = [symbol for symbol in chains if bars and not _same(symbol, bars)]
        size = float(np.median(np.abs(away))) if len(away) else 0.0
        if not odd and size <= self.spot_tolerance:
            return
        middle = float(np.median(away)) if len(away) else 0.0
        side = "above" if middle > 0.0 else "below"
        apart = (
            ""
            if not len(away)
            else (
                f"their spot lies {100.0 * abs(middle):.3g} % {side} the bars' close "
                f"(median of {counted(len(away), 'snapshot')})"
            )
        )
        mine = f"underlying: {{chains: {(odd or chains or ['SPX'])[0]}, bars: {bars or 'ES'}}}"
        if odd:
            raise InputError(
                f"the chains are of {odd[0]}, the bars of {bars}"
                + (f"; {apart}" * bool(len(away))),
                where=self.label,
                remedy=f"give chains of {bars}, or, if it is meant, set {mine} under the feature",
            )
        raise InputError(
            f"{apart}, more than spot_tolerance {100.0 * self.spot_tolerance:g} %",
            where=self.label,
            remedy="give unadjusted prices of the chains' underlying, or its splits under data, "
            f"or, if it is meant, {mine} under the feature",
        )


def spot_distances(frame: pd.DataFrame, rows: pd.DataFrame, calendar: str) -> FloatArray:
    """Return spot / close - 1 of the snapshots that lie in a session of the bars, (n,).

    The close is that of the session's bar that ends nearest to the snapshot.
    """
    if SPOT not in rows or not len(frame):
        return np.empty(0)
    bars, stamps = pd.DatetimeIndex(frame.index), pd.DatetimeIndex(rows.index)
    ends, at = (np.asarray(index.as_unit("ns").asi8) for index in (bars, stamps))
    sessions, own = (session_ordinals(index, calendar) for index in (bars, stamps))
    later = np.searchsorted(ends, at).clip(max=len(ends) - 1)
    earlier = (later - 1).clip(min=0)
    gaps = [
        np.where(sessions[place] == own, np.abs(ends[place] - at), np.iinfo(np.int64).max)
        for place in (later, earlier)
    ]
    place = np.where(gaps[0] <= gaps[1], later, earlier)
    close = frame["close"].to_numpy(dtype=np.float64)[place]
    away: FloatArray = rows[SPOT].to_numpy(dtype=np.float64) / close - 1.0
    known: FloatArray = away[(sessions[place] == own) & np.isfinite(away)]
    return known


def _same(one: str, other: str) -> bool:
    """Return whether two symbols name one underlying: SPX and ^SPX, RELIANCE and RELIANCE.NS."""
    first, second = _names(one), _names(other)
    return first[0] in second or second[0] in first


def _names(symbol: str) -> list[str]:
    """Return a symbol without signs, then its words."""
    words = [word for word in re.split(r"[^A-Z0-9]+", symbol.upper()) if word]
    return [_ROOTS.get(name, name) for name in ("".join(words), *words)]


def symbols_of(names: Iterable[str]) -> tuple[str, ...]:
    """Return the different symbols that there are, in order."""
    return tuple(dict.fromkeys(name for name in names if name))
