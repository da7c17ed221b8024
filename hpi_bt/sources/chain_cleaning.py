"""Quotes of an option chain, cleaned where everyone can see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.options.expiries import clean_symbol
from hpi_bt.sources.bars import MOST
from hpi_bt.sources.chain_markers import SIDES, without_markers
from hpi_bt.sources.hours import counted

PRICES = ("bid", "ask", "last")
NUMBERS = (*PRICES, "iv", "delta", "gamma", "volume", "open_interest")

#: Vols up to 0.1 % mark "none": CBOE writes 0, NSE tables 0.1 percent, Yahoo 0.00001.
LEAST_IV = 0.00100001

#: Bids and asks below 0 that are left out rather than the file refused: up to 3, or up to a
#: hundredth of all.
FEW, FEW_SHARE = 3, 0.01

#: Share of quotes with both sides that may be crossed without a word, and beyond which bid and ask
#: stand for one another.
MANY_CROSSED, ALL_CROSSED = 0.2, 0.9

#: Rows that repeat a contract with other numbers, beyond which the file is refused: a share of its
#: contracts.
MOST_REPEATED = 0.25

_KEYS = ("root", "expiry", "strike", "right")

_ACTIONS = {
    "duplicated": "dropped, the first of each kept",
    "adjusted": "dropped: they deliver something else than the multiplier says",
    "expired": "kept in the file's chain, no part of a live one",
    "no quote": "kept for open interest and volume, no part of the smile",
    "zero bid": "kept for open interest and volume, no part of the smile",
    "no ask": "kept for open interest and volume, no part of the smile",
    "crossed": "kept for open interest and volume, no part of the smile",
    "stale": "kept: the quote counts, the last price does not",
    "no open interest": "kept for the smile, without weight in exposures",
    "no IV": "left blank, never filled in",
}

#: What contracts are counted by.
KINDS_FOUND = tuple(_ACTIONS)


@dataclass(frozen=True)
class Finding:
    """How many contracts of a chain are of one kind, and what was done with them."""

    kind: str
    count: int
    share: float
    action: str


@dataclass(frozen=True)
class CleaningReport:
    """What was found in a chain: counts, shares of all contracts read, what was done.

    Parameters
    ----------
    read, kept : int
        Contracts in the file (or in the snapshot of it), and in the chain.
    findings : tuple of Finding
        One per kind, those with none too; a kind that the file cannot show is absent. A contract
        may be of several kinds; no quote, zero bid, no ask and crossed exclude each other.
    notes : tuple of str
        Where spot, moment and vols came from, and what is odd about the whole chain.
    """

    read: int
    kept: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Contracts of each kind."""
        return {f.kind: f.count for f in self.findings}

    @property
    def lines(self) -> tuple[str, ...]:
        """One plain sentence for each kind that was found, after the totals."""
        found = [f for f in self.findings if f.count]
        return (
            f"{counted(self.read, 'contract')} read, {self.kept} kept",
            *(f"{f.kind}: {f.count} ({100 * f.share:.1f} %), {f.action}" for f in found),
        )

    @property
    def table(self) -> pd.DataFrame:
        """The findings, indexed by kind, with columns count, share and action."""
        names = ["kind", "count", "share", "action"]
        rows = [asdict(finding) for finding in self.findings]
        return pd.DataFrame(rows, columns=names).set_index("kind")


def checked_contracts(
    contracts: pd.DataFrame,
    name: str,
    columns: Mapping[str, str] | None = None,
    notes: list[str] | None = None,
) -> pd.DataFrame:
    """Return the contracts with blanks for what is no number of a market.

    Those are markers of none (-1), a few bids and asks below 0, and vols of up to 0.1 %.

    Parameters
    ----------
    contracts : DataFrame
        Columns expiry, strike, right and those of `NUMBERS` that the file has.
    name : str
        The file, for messages.
    columns : mapping of str to str, optional
        Our name of a column: the file's.
    notes : list of str, optional
        What was found is added.

    Raises
    ------
    InputError
        A strike is blank or not positive, a price, volume or open interest is negative, a number
        is infinite or beyond 1e15, or an expiry is blank, or nearly all quotes are crossed; the
        message names the first such row. A few bids and
        asks below 0 among many others pass: see `negative_quotes`.
    """
    theirs, notes = columns or {}, [] if notes is None else notes

    def refuse(wrong: BoolArray, column: str, demand: str) -> None:
        _refuse(out, wrong, column, demand, name, theirs.get(column, column))

    out = without_markers(contracts, notes)
    refuse(out["expiry"].isna().to_numpy(), "expiry", "a date")
    strike = out["strike"].to_numpy(dtype=np.float64)
    refuse(~((strike > 0) & np.isfinite(strike)), "strike", "a positive number")
    for column in ("strike", *PRICES, "volume", "open_interest"):
        if column in out:
            values = out[column].to_numpy(dtype=np.float64)
            refuse((values > MOST) | (values < -MOST), column, f"a number within {MOST:g}")
    below = negative_quotes(out)
    few = below & (below.sum() <= max(FEW, FEW_SHARE * len(out))) & (2 * below.sum() < len(out))
    for column in (*PRICES, "volume", "open_interest"):
        if column in out:
            values = out[column].to_numpy(dtype=np.float64)
            error: BoolArray = values < 0.0
            refuse(error & ~few if column in SIDES else error, column, "0 or more")
    notes += crossed_notes(out, theirs, name)
    if few.any():
        text = f"{counted(int(few.sum()), 'quote')} with a bid or ask below 0 left out"
        notes.append(Note(Severity.WARNING, "negative-quote", text))
        out = out.assign(**{c: out[c].mask(few) for c in SIDES if c in out})
    if "iv" in out:
        iv = out["iv"].to_numpy(dtype=np.float64)
        refuse(np.isinf(iv), "iv", "a decimal such as 0.18")
        out["iv"] = np.where(iv > LEAST_IV, iv, np.nan)
    return out


def crossed_notes(contracts: pd.DataFrame, columns: Mapping[str, str], name: str) -> list[Note]:
    """Return a warning where many bids are above their asks; refuse nearly all.

    Raises
    ------
    InputError
        Nine in ten quotes with both sides are crossed: the columns stand for one another.
    """
    if not {"bid", "ask"} <= set(contracts):
        return []
    bid, ask = (contracts[side].to_numpy(dtype=np.float64) for side in ("bid", "ask"))
    both = (bid > 0.0) & (ask > 0.0)
    n, crossed = int(both.sum()), int((both & (bid > ask)).sum())
    if n < FEW or crossed < MANY_CROSSED * n:
        return []
    found = f"{crossed} of {counted(n, 'quote')} with both sides have a bid above the ask"
    if crossed >= ALL_CROSSED * n:
        theirs = {side: columns.get(side, side) for side in ("bid", "ask")}
        raise InputError(
            f"{found}: are {theirs['bid']} and {theirs['ask']} exchanged?",
            where=name,
            remedy=f"give `columns=bid:{theirs['ask']}` and `columns=ask:{theirs['bid']}`",
        )
    return [Note(Severity.WARNING, "crossed-quotes", f"{found}: they are left out of all vols")]


def _refuse(
    table: pd.DataFrame, wrong: BoolArray, column: str, demand: str, name: str, theirs: str
) -> None:
    if not wrong.any():
        return
    row = int(np.argmax(wrong))
    label = f" ({table['contract'].iloc[row]})" if "contract" in table else ""
    raise InputError(
        f"row {table.index[row] + 1}{label} is {table[column].iloc[row]}; wanted {demand}",
        where=name,
        field=theirs,
        remedy="fix or remove the row",
    )


def negative_quotes(contracts: pd.DataFrame) -> BoolArray:
    """Return which contracts have a bid or an ask below 0; shape (n,)."""
    below = np.zeros(len(contracts), dtype=bool)
    for column in SIDES:
        if column in contracts:
            below |= contracts[column].to_numpy(dtype=np.float64) < 0.0
    return below


def droppable(contracts: pd.DataFrame) -> tuple[BoolArray, BoolArray]:
    """Return which rows repeat a contract, and which are of an adjusted root; each (n,).

    The same contract is the same root, expiry, right and strike. Adjusted roots (SPY1, 2SPX)
    carry a digit where another root of the file is the same without it.
    """
    keys = [c for c in _KEYS if c in contracts]
    repeated: BoolArray = contracts.duplicated(keys).to_numpy()
    if "root" not in contracts:
        return repeated, np.zeros(len(contracts), dtype=bool)
    codes, roots = pd.factorize(contracts["root"])
    words = [str(r) for r in roots]
    plain = {w for w in words if not any(c.isdigit() for c in w)}
    odd = [w not in plain and w.strip("0123456789") in plain for w in words]
    adjusted = np.array(odd, dtype=bool)[codes] if words else np.zeros(0, dtype=bool)
    return repeated & ~adjusted, adjusted


def differing_repeats(
    contracts: pd.DataFrame, repeated: BoolArray, name: str, others: tuple[str, ...] = ()
) -> list[Note]:
    """Return the warning that repeated rows differ from the one kept; refuse where most do.

    Raises
    ------
    InputError
        So many contracts come again with other numbers that the rows are of several moments or
        several contracts, which a column tells apart that is not read.
    """
    numbers = [c for c in (*_KEYS, *NUMBERS) if c in contracts]
    differing = repeated & ~contracts.duplicated(numbers).to_numpy()
    count = int(differing.sum())
    if count > MOST_REPEATED * (~repeated).sum():
        row = contracts[differing].iloc[0]
        unread = f" (not read: {', '.join(others[:12])})" if others else ""
        raise InputError(
            f"{count} rows repeat a contract with other numbers, such as row {row.name + 1} "
            f"({row['strike']:g} {row['right']} of {row['expiry']:%Y-%m-%d})",
            where=name,
            remedy=f"map the column that tells them apart{unread}: moments as "
            "`columns=ts:ITS NAME`, SPX from SPXW as `columns=root:ITS NAME`",
        )
    if not count:
        return []
    text = f"{count} of the duplicated rows differ from the one kept, the first"
    return [Note(Severity.WARNING, "differing-repeats", text)]


def refuse_adjusted(
    contracts: pd.DataFrame, symbol: str, multiplier: float | None, name: str
) -> None:
    """Refuse a chain of adjusted contracts alone (XOM2), whose deliverable nobody has given.

    Raises
    ------
    InputError
        Every root bears a digit, which contract symbols of the OCC give to adjusted ones.
    """
    if multiplier is not None or "root" not in contracts:
        return
    roots = sorted({str(root) for root in contracts["root"].unique()})
    bare = {root.strip("0123456789") for root in roots}
    if any(root in bare for root in roots) or "" in bare:
        return
    if "contract" in contracts or clean_symbol(symbol) in bare:
        raise InputError(
            f"every contract is of an adjusted root ({', '.join(roots)}), which delivers something "
            "else than 100 shares",
            where=name,
            remedy="give what one delivers as `multiplier`",
        )


def cleaning_report(
    contracts: pd.DataFrame,
    *,
    expired: BoolArray,
    stale: BoolArray | None,
    dropped: dict[str, int],
    notes: tuple[str, ...] = (),
) -> CleaningReport:
    """Return the counts of the kept contracts by kind.

    Parameters
    ----------
    contracts : DataFrame of n rows
        Checked and without those in `dropped`.
    expired, stale : ndarray of bool, shape (n,)
        Contracts past their expiry, and without a trade in the last session; None where the file
        has neither volume nor the time of a last trade.
    dropped : dict of str to int
        Contracts left out, by kind.
    notes : tuple of str
        Passed on.
    """
    kinds: dict[str, int] = {**dropped, "expired": int(expired.sum())}
    if {"bid", "ask"} <= set(contracts):
        bid, ask = _filled(contracts["bid"]), _filled(contracts["ask"])
        kinds["no quote"] = int(((bid == 0) & (ask == 0)).sum())
        kinds["zero bid"] = int(((bid == 0) & (ask > 0)).sum())
        kinds["no ask"] = int(((bid > 0) & (ask == 0)).sum())
        kinds["crossed"] = int(((bid > ask) & (ask > 0)).sum())
    if stale is not None:
        kinds["stale"] = int(stale.sum())
    if "open_interest" in contracts:
        kinds["no open interest"] = int((_filled(contracts["open_interest"]) == 0).sum())
    if "iv" in contracts:
        kinds["no IV"] = int(contracts["iv"].isna().sum())
    read = len(contracts) + sum(dropped.values())
    findings = tuple(
        Finding(kind, n, n / read if read else 0.0, _ACTIONS[kind]) for kind, n in kinds.items()
    )
    return CleaningReport(read, len(contracts), findings, notes)


def oddities(contracts: pd.DataFrame) -> tuple[str, ...]:
    """Return what is odd about the whole chain, one plain sentence each."""
    right = contracts["right"].to_numpy()
    odd = [
        f"no {word}" for side, word in (("C", "calls"), ("P", "puts")) if not (right == side).any()
    ]
    strike = contracts["strike"].to_numpy()
    if (strike == strike[0]).all():
        odd.append("a single strike")
    for column, words in (("open_interest", "open interest"), ("volume", "volume")):
        if column not in contracts:
            odd.append(f"no {words} in the file")
        elif not _filled(contracts[column]).any():
            odd.append(f"{words} is 0 everywhere")
    vols = "iv" in contracts and contracts["iv"].notna().any()
    quoted = {"bid", "ask"} <= set(contracts) and _filled(contracts["ask"]).any()
    if not vols:
        odd.append("no IV at all")
    if not quoted and not _by_last_prices(contracts):
        odd.append("no quotes: the smile rests on the file's IV" if vols else "no quotes at all")
    return tuple(odd)


def _by_last_prices(contracts: pd.DataFrame) -> bool:
    """Return whether vols come from last prices, as `OptionChain.without_quotes` says."""
    given = [contracts[side] for side in ("bid", "ask") if side in contracts]
    if any(side.notna().any() for side in given) or not {"last", "volume"} <= set(contracts):
        return False
    return bool(((contracts["last"] > 0) & (contracts["volume"] > 0)).any())


def _filled(values: pd.Series) -> FloatArray:
    numbers: npt.NDArray[np.float64] = values.to_numpy(dtype=np.float64)
    return np.nan_to_num(numbers, nan=0.0)
