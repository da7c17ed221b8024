"""Pieces of one daily series, from several files or sources, put together visibly."""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import IntArray
from hpi_bt.errors import InputError
from hpi_bt.sources.gauge_data.plausibility import check_limits, sudden_steps
from hpi_bt.sources.gauge_data.publication import published
from hpi_bt.sources.gauge_data.put_call import PRODUCTS, splice_put_call

#: What a file may be given as, and the layouts that this allows.
GIVEN_AS = {
    "spy": ("yahoo", "own"),
    "vix": ("cboe", "yahoo", "fred", "own"),
    "vix3m": ("cboe", "yahoo", "fred", "own"),
    "put_call": ("put_call", "put_call_ratios", "put_call_json", "own"),
    "treasury": ("treasury", "fred", "own"),
    "y10": ("treasury", "fred", "yahoo", "own"),
    "y2": ("treasury", "fred", "own"),
    "bill3m": ("treasury", "fred", "own"),
    "t10y3m": ("fred", "own"),
    "sofr": ("sofr_json", "fred", "own"),
    "oas": ("fred", "own"),
}
#: What a note on values that are left out as no market's has after the series' name.
FAULT = ": data fault: "
YIELDS = ("y10", "y2", "bill3m", "t10y3m")
_POSITIVE = ("spy", "vix", "vix3m", "put_call")
_YAHOO = {"spy": "SPY", "vix": "^VIX", "vix3m": "^VIX3M", "y10": "^TNX"}


class Piece(NamedTuple):
    """Values of one series by date, without NaN; the lower `rank` goes first on a common date.

    `name` is that of the file, for messages.
    """

    series: str
    source: str
    rank: int
    rule: str
    data: pd.Series
    name: str = ""


class Joined(NamedTuple):
    """One series of all pieces: data by date, their publication, their source; notes.

    `rules` are those by which the newest value was published.
    """

    data: pd.Series
    stamps: IntArray
    sources: npt.NDArray[np.object_]
    notes: list[str]
    rules: tuple[str, ...]

    def described(self) -> str:
        """Return the names of the sources, in the order in which they take over."""
        return ", then ".join(dict.fromkeys(map(str, self.sources)))


def pieces_of(
    frame: pd.DataFrame, given_as: str, name: str, product: str
) -> tuple[list[Piece], list[str]]:
    """Return the series of a frame from `read_gauge_text`, and what was noticed.

    Parameters
    ----------
    frame : DataFrame
    given_as : str
        A name of `GIVEN_AS`.
    name : str
        Of the file, for messages.
    product : {"total", "index", "etp", "equity"}
        Put/call ratio that is wanted.

    Raises
    ------
    InputError
        The layout is none for this series, the file holds another series or product, or a value
        that no market has.
    """
    layout, notes = frame.attrs["layout"], list(frame.attrs["notes"])
    wanted = GIVEN_AS[given_as]
    if layout not in wanted:
        raise InputError(
            f"{name}: given as {given_as}, but its layout is {layout}; wanted {' or '.join(wanted)}"
        )
    named = {
        "cboe": lambda: [Piece(given_as, f"Cboe {given_as.upper()}", 0, "close", frame["close"])],
        "yahoo": lambda: [_yahoo(given_as, frame, notes)],
        "treasury": lambda: [Piece(str(c), "US Treasury", 0, "treasury", frame[c]) for c in frame],
        "sofr_json": lambda: [Piece("sofr", "New York Fed", 0, "sofr", frame["sofr"])],
        "fred": lambda: [_one_series(frame, given_as, name)],
        "own": lambda: [_one_series(frame, given_as, name)],
    }
    found = named[layout]() if layout in named else [_put_call(frame, name, product)]
    return [_clean(piece, name, notes) for piece in found], notes


def _yahoo(series: str, frame: pd.DataFrame, notes: list[str]) -> Piece:
    source, close = f"{frame.attrs['source']} {_YAHOO[series]}", frame["close"]
    if series == "y10" and close.median() > 20.0:  # ^TNX was quoted as ten times the yield
        close = close / 10.0
        notes.append(f"{source}: values are ten times the yield, divided by 10")
    return Piece(series, source, 0 if series == "spy" else 2, "close", close)


def _one_series(frame: pd.DataFrame, given_as: str, name: str) -> Piece:
    """Return the series of a file that names it: FRED's or one's own, which goes last."""
    series, own = str(frame.columns[0]), frame.attrs["layout"] == "own"
    source = PurePath(name).name if own else frame.attrs["source"]
    if series != given_as and not (given_as == "treasury" and series in YIELDS):
        raise InputError(f"{name}: given as {given_as}, but it holds {series if own else source}")
    rule = "h15" if series in YIELDS else "sofr" if series == "sofr" else "fred"
    if own:  # at the close like its market's, else as late as FRED, since nobody says when
        rule = {"put_call": "evening"}.get(series, "close" if series in _POSITIVE else rule)
    return Piece(series, source, 3 if own else 1, rule, frame[series])


def _put_call(frame: pd.DataFrame, name: str, product: str) -> Piece:
    if product not in PRODUCTS:
        raise InputError(f"put_call product {product!r}; give one of {', '.join(PRODUCTS)}")
    archive = frame.attrs["layout"] == "put_call"
    holds = [frame.attrs["product"] or product] if archive else [str(c) for c in frame]
    if product not in holds:
        raise InputError(
            f"{name}: put/call of {', '.join(holds)}, wanted {product}; "
            "give the file of that product, or name another product"
        )
    values = frame["put_call" if archive else product]
    return Piece("put_call", frame.attrs["source"], 0 if archive else 1, "evening", values)


def _clean(piece: Piece, name: str, notes: list[str]) -> Piece:
    values = piece.data.dropna().astype(np.float64)
    if piece.series in _POSITIVE and (wrong := values <= 0.0).any():
        notes.append(f"{name}: {int(wrong.sum())} value(s) not above 0, left out")
        values = values[~wrong]
    check_limits(values, piece.series, name)
    return piece._replace(data=values, name=name)


def join_pieces(pieces: list[Piece], limit: int | None = None) -> dict[str, Joined]:
    """Return each series once, of what was published before `limit`.

    Parameters
    ----------
    pieces : list of Piece
        On a date that several have, the lowest rank counts, then the first given.
    limit : int, optional
        Nanoseconds of New York wall time.

    Returns
    -------
    joined : dict of str to Joined
        Series without any value are absent. Values that stand too far from the one before are
        left out, with a note.
    """
    timely = [_before(piece, limit) for piece in pieces]
    timely += _bill_of_spread(timely)
    found = {}
    for series in dict.fromkeys(p.series for p in timely):
        own = sorted((p for p in timely if p.series == series and len(p.data)), key=_rank)
        if own:
            found[series] = _joined(series, own)
    return found


def _rank(piece: Piece) -> int:
    return piece.rank


def _before(piece: Piece, limit: int | None) -> Piece:
    if limit is None:
        return piece
    stamps = published(pd.DatetimeIndex(piece.data.index), piece.rule)
    return piece._replace(data=piece.data[stamps < limit])


def _bill_of_spread(pieces: list[Piece]) -> list[Piece]:
    """Return the 3-month yield that FRED's 10-year yield and its spread over 3 months give."""
    named = {p.series: p.data for p in pieces if p.rank == 1}
    if "y10" not in named or "t10y3m" not in named:
        return []
    bill = (named["y10"] - named["t10y3m"]).dropna().round(2)
    return [Piece("bill3m", "FRED DGS10 - T10Y3M", 1, "h15", bill)]


def _joined(series: str, own: list[Piece]) -> Joined:
    notes = _splice_note(own) if series == "put_call" else []
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "value": p.data.to_numpy(),
                    "stamp": published(pd.DatetimeIndex(p.data.index), p.rule),
                    "source": p.source,
                    "rank": p.rank,
                    "rule": p.rule,
                    "name": p.name or p.source,
                },
                index=p.data.index,
            )
            for p in own
        ]
    )
    first = table[~table.index.duplicated()].sort_index()
    notes += _remarks(series, table, first)
    first, faults = _believed(series, first)
    notes += faults
    sources = first["source"].to_numpy(dtype=object)
    rules = (str(first["rule"].iloc[-1]),)
    return Joined(first["value"].rename(series), first["stamp"].to_numpy(), sources, notes, rules)


def _believed(series: str, first: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return the rows without those after a step beyond belief, and one line for each file."""
    faults = sudden_steps(first["value"], series)
    notes = []
    left_out = first.iloc[[fault.place for fault in faults]]
    told = dict(zip(left_out.index, faults, strict=True))
    for name, own in left_out.groupby("name", sort=False):
        one = told[own.index[0]]
        more = f", the first of {len(own)} (the last on {own.index[-1]:%Y-%m-%d})"
        after = ", the values after it agree with it and are used" if one.agreed else ""
        notes.append(
            f"{series}{FAULT}{own['value'].iloc[0]:g} on {own.index[0]:%Y-%m-%d} after "
            f"{one.before:g}{more if len(own) > 1 else ''} in {name}; left out{after}, "
            "mend the file"
        )
    return first.drop(left_out.index), notes


def _splice_note(own: list[Piece]) -> list[str]:
    """Say where put/call's ratios take over from its archive, and how their levels differ."""
    old, new = ([p.data for p in own if p.rank == rank] for rank in (0, 1))
    if not (old and new):
        return []
    archive, ratios = (pd.concat(data).sort_index() for data in (old, new))
    _, note = splice_put_call(*(s[~s.index.duplicated()] for s in (archive, ratios)))
    return [note] if note else []


def _remarks(series: str, table: pd.DataFrame, first: pd.DataFrame) -> list[str]:
    """Say where pieces of one source disagree, and where another source steps in."""
    notes = []
    shared = table[table.index.duplicated(keep=False)]
    spread = shared.groupby([shared.index, "source"])["value"].agg(["min", "max"])
    differ = spread.index[(spread["max"] - spread["min"] > 1e-9).to_numpy()]
    if len(differ):
        day, source = differ[0]
        notes.append(
            f"{series}: files of {source} differ on {len(differ)} date(s), "
            f"the first on {day:%Y-%m-%d}; the file named first counts"
        )
    best = first.index[first["rank"] == first["rank"].min()]
    for source in () if series == "put_call" else dict.fromkeys(first["source"]):
        days = first.index[first["source"] == source]
        if first.loc[days[0], "rank"] > first["rank"].min():
            notes.append(f"{series}: {source} stands in, {_spans(days, best)}")
    return notes


def _spans(days: pd.DatetimeIndex, best: pd.DatetimeIndex) -> str:
    """Return how many days lie before, between and after those of the best source."""
    before, after = days < best[0], days > best[-1]
    between = int((~before & ~after).sum())
    parts = [
        (int(before.sum()), f"before {best[0]:%Y-%m-%d}"),
        (between, "that it lacks"),
        (int(after.sum()), f"after {best[-1]:%Y-%m-%d}"),
    ]
    return ", ".join(f"{count:,} day{'s' * (count > 1)} {where}" for count, where in parts if count)
