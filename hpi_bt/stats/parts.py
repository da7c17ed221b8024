"""The parts of a study: its signals, measured lines and entries against price (definitions 9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError
from hpi_bt.stats.correlation import coefficient
from hpi_bt.stats.deciles import pooled_decile_table
from hpi_bt.stats.entries import EntryTest, trial_of_entries
from hpi_bt.stats.events import COLUMNS, Tested, completed, enough_permutations, signal_rows
from hpi_bt.stats.forward import Horizon
from hpi_bt.stats.lines import Line, measures_of, signals_of
from hpi_bt.stats.nights import NIGHT_COLUMNS, found_in, night_row, nights_of
from hpi_bt.stats.pairs import pair_of
from hpi_bt.stats.permutation import q_values
from hpi_bt.stats.pool import Market, Pool, pool_of
from hpi_bt.stats.timing import TimingTest, held_of, is_scaled, trial_of_timing

EVENT_COLUMNS = ("signal", "label", "direction", "horizon", "symbols", "episodes", *COLUMNS)
DECILE_COLUMNS = (
    *("line", "horizon", "decile", "n", "low", "high", "mean", "median", "hit_rate"),
    *("excess", "t"),
)
COEFFICIENT_COLUMNS = (
    *("line", "horizon", "symbols", "n", "ic", "low", "high", "t", "p_value", "q_value"),
    *("spearman", "note"),
)
NO_SIGNAL = 'no signal: no line is declared as an "event" or is -1, 0 or 1 throughout'
_GROUPS = 10


class Subject(NamedTuple):
    """One symbol's run, as the study reads it.

    Attributes
    ----------
    symbol : str
    bars : DataFrame of shape (n_bars, ...), index bar closes
        The layout of signals.parquet: open, close, session, minutes_open where it is known, and
        every column that `panes` names.
    panes : sequence of mapping
        What the indicators declare, as panes.json has it.
    trades : DataFrame, optional
        Round trips as trades.csv has them; those of other instruments are left out.
    account : DataFrame, optional
        What was held, a row a bar, as equity.parquet has it.
    year : int, default=252
        Sessions in a year.
    """

    symbol: str
    bars: pd.DataFrame
    panes: Sequence[Mapping[str, Any]]
    trades: pd.DataFrame | None = None
    account: pd.DataFrame | None = None
    year: int = 252


@dataclass(frozen=True)
class Parts:
    """What all parts of a study share: subjects with their markets, horizons, permutations."""

    subjects: Sequence[Subject]
    markets: Sequence[Market]
    horizons: Sequence[Horizon]
    permutations: int
    seed: int

    @cached_property
    def signals(self) -> list[dict[str, Line]]:
        """Return the signals of each subject."""
        return [signals_of(subject.panes, subject.bars) for subject in self.subjects]

    @cached_property
    def measures(self) -> list[dict[str, Line]]:
        """Return the measured lines of each subject."""
        return [measures_of(subject.panes, subject.bars) for subject in self.subjects]

    @cached_property
    def families(self) -> int:
        """Return how many questions are asked: of signals, lines, nights, and of what was done.

        Each has its share of the chance that anything at all is found where there is nothing.
        """
        signals, measures = any(self.signals), any(self.measures)
        done = any(subject.trades is not None for subject in self.subjects)
        nights = measures and self.markets[0].bars.daily
        return max(1, sum((signals, measures, nights, done)))

    def having(self, lines: Sequence[Mapping[str, Line]]) -> Iterator[tuple[Line, list[int]]]:
        """Return every line once, and which subjects have it."""
        for column in dict.fromkeys(name for own in lines for name in own):
            at = [k for k, own in enumerate(lines) if column in own]
            yield lines[at[0]][column], at

    def values(self, line: Line, at: Sequence[int]) -> list[FloatArray]:
        """Return the values of a line for those subjects, each of shape (n_bars,)."""
        return [np.asarray(self.subjects[k].bars[line.column], dtype=np.float64) for k in at]


def event_part(found: Parts) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of events, and which kinds never occurred."""

    @cache
    def pool(at: tuple[int, ...]) -> Pool:
        return pool_of([found.markets[k] for k in at], found.permutations, found.seed)

    rows: list[dict[str, Any]] = []
    tested: list[Tested] = []
    notes = []
    every = list(found.having(found.signals))
    if not every:
        notes.append(NO_SIGNAL)
    words = [text for line, _ in every for text in line.texts.values()]
    for line, at in every:
        signals = found.values(line, at)
        bars = sum(signal.size for signal in signals)
        table = signal_rows(pool(tuple(at)), signals, found.horizons)
        for side in (1, -1):
            text = line.texts.get(side, f"{line.name} {'up' if side > 0 else 'down'}")
            if not any(bool((signal * side > 0.0).any()) for signal in signals):
                said = f"{text} ({line.label})" if words.count(text) > 1 else text
                if side in line.texts:
                    notes.append(f"{said}: none in {bars:,} bars, so nothing can be said")
                continue
            about: dict[str, Any] = {
                "signal": line.column,
                "label": text,
                "direction": side,
                "symbols": len(at),
                "episodes": sum(_episodes(signal * side) for signal in signals),
            }
            rows += [{**about, "horizon": h} for h in found.horizons]
            tested += [table[side, h] for h in found.horizons]
    numbers_of = completed(tested, found.families)
    rows = [about | row for about, row in zip(rows, numbers_of, strict=True)]
    events = pd.DataFrame(rows, columns=list(EVENT_COLUMNS))
    numbers = [c for c in COLUMNS if c not in ("n", "note")]
    return events.astype(dict.fromkeys(numbers, np.float64)), notes


def _episodes(signal: FloatArray) -> int:
    """Return how often a signal came on: its unbroken runs of bars above 0."""
    on = signal > 0.0
    return int(np.count_nonzero(on[1:] & ~on[:-1])) + int(on[:1].sum())


def measure_part(found: Parts) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the tables of tenths and of rank correlations, and which lines have none."""
    tenths, rows, notes = [], [], []
    for line, at in found.having(found.measures):
        values = found.values(line, at)
        known = sum(int(np.isfinite(v).sum()) for v in values)
        for horizon in found.horizons:
            pairs = [pair_of(v, found.markets[k], horizon) for v, k in zip(values, at, strict=True)]
            enough = [p for p in (pair.known() for pair in pairs) if p.line.size >= _GROUPS]
            enough = [p for p in enough if p.varies()]
            if not enough:
                continue
            about = {"line": line.column, "horizon": horizon}
            row = coefficient(enough, found.markets[0].bars.daily)
            rows.append({**about, "symbols": len(enough), **row})
            table = pooled_decile_table(enough, groups=_GROUPS).reset_index()
            tenths.append(table.assign(**about)[list(DECILE_COLUMNS)])
        if not any(row["line"] == line.column for row in rows):
            notes.append(f"{line.column}: {known:,} known values, too few or too alike to rank")
    deciles = pd.concat(tenths) if tenths else pd.DataFrame(columns=list(DECILE_COLUMNS))
    coefficients = pd.DataFrame(rows, columns=list(COEFFICIENT_COLUMNS))
    p = coefficients["p_value"].to_numpy(dtype=np.float64)
    coefficients = coefficients.assign(q_value=q_values(p, found.families))
    return deciles.reset_index(drop=True), coefficients, notes


def night_part(found: Parts) -> pd.DataFrame:
    """Return the table of what every measured line told of the night and of the day after it."""
    nights = [nights_of(market.bars) for market in found.markets]
    rows = []
    for line, at in found.having(found.measures):
        row = night_row(
            found.values(line, at),
            [nights[k] for k in at],
            [found.markets[k].cluster for k in at],
            found.markets[0].bars.daily,
        )
        if row:
            rows.append({"line": line.column, **row})
    tests = len(rows) * found.families
    rows = [row | {"found": found_in(row, tests)} for row in rows]
    return pd.DataFrame(rows, columns=list(NIGHT_COLUMNS))


class Skill(NamedTuple):
    """Tests of what a strategy did, by symbol: its entries, or its exposure where that changes."""

    entries: list[tuple[str, EntryTest]]
    timing: list[tuple[str, TimingTest]]
    notes: list[str]


def skill_part(found: Parts) -> Skill:
    """Return the tests of entries and of timing, and why some could not be made.

    Where a tenth of the trades or more changed size while held, entries from flat to flat are few
    and not what the strategy decides: the test of timing takes their place.
    """
    entries: list[tuple[str, EntryTest]] = []
    timing: list[tuple[str, TimingTest]] = []
    notes = []
    tests = found.families * sum(subject.trades is not None for subject in found.subjects)
    draws = max(found.permutations, enough_permutations(tests))
    for subject, market in zip(found.subjects, found.markets, strict=True):
        if subject.trades is None:
            continue
        name = subject.symbol or "the data"
        account = subject.account
        if account is not None and is_scaled(account["position"].to_numpy(dtype=np.float64)):
            try:
                held = held_of(account, market.bars)
                about = trial_of_timing(held, market.bars, shifts=draws, seed=found.seed)
            except InputError as error:
                notes.append(f"{name}: timing was not tested ({error})")
                continue
            timing.append((subject.symbol, about))
            continue
        try:
            test = trial_of_entries(
                _own(subject), market.bars, draws=draws, seed=found.seed, tests=tests
            )
        except InputError as error:
            notes.append(f"{name}: entries were not tested ({error})")
            continue
        if test.n:
            entries.append((subject.symbol, test))
        else:
            notes.append(f"{name}: entries were not tested ({test.note})")
    p = [test.p_value for _, test in entries] + [test.p_value for _, test in timing]
    q = q_values(p, found.families).tolist()
    return Skill(
        [(name, test._replace(q_value=own)) for (name, test), own in zip(entries, q, strict=False)],
        [
            (name, test._replace(q_value=own))
            for (name, test), own in zip(timing, q[len(entries) :], strict=True)
        ],
        notes,
    )


def _own(subject: Subject) -> pd.DataFrame:
    """Return the trades of the subject's instrument; rows that name none are its."""
    trades = subject.trades
    assert trades is not None
    if "data" not in trades:
        return trades
    return trades[trades["data"].fillna("").isin(["", subject.symbol]).to_numpy()]
