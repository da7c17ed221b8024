"""Scans: `hpi_bt.scan(configs)`, the latest of every indicator of many configs at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from hpi_bt.backtest.result import check_writable
from hpi_bt.config import Config, configs_of
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.frames import locations, read_config
from hpi_bt.report import Banner
from hpi_bt.report.index import SCAN, update_index
from hpi_bt.report.scan import epoch, write_scan
from hpi_bt.report.scan_rows import (
    TEXT_COLOR,
    Gradient,
    Occurrence,
    ScanRow,
    gradient_of,
    headlines_of,
    rows_of,
)
from hpi_bt.runs import assumptions, record_of_config
from hpi_bt.sources.base import Locations
from hpi_bt.sources.paths import user_path

Given = str | Path | Mapping[str, Any] | Config
Count = Callable[[int, int], None]

_TOLD = ("Dealer sign", "Open interest", "Joined")  # assumptions on which the lines rest


def _no_count(_: int, __: int) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Scan:
    """The latest of every indicator.

    Attributes
    ----------
    rows : tuple of ScanRow
        One for each indicator, and one for each config that could not be scanned.
    page : Path
        The sortable page.
    """

    rows: tuple[ScanRow, ...]
    page: Path

    @property
    def failed(self) -> int:
        """How many configs could not be scanned."""
        return sum(bool(row.error) for row in self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """One row an indicator; of cross and alert their direction, text, time and age."""
        return pd.DataFrame([_flat(row) for row in self.rows])

    def __repr__(self) -> str:
        """Return how much was scanned."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"<Scan of {len(self.rows)} rows{failed}; {self.page}>"

    def _repr_html_(self) -> str:
        """Return the table, for notebooks."""
        return f"<p>{escape(repr(self)[1:-1])}</p>" + str(self.table.to_html(index=False))


def _flat(row: ScanRow) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in asdict(row).items():
        if name in ("cross", "alert"):
            nested = value or {"direction": 0, "text": "", "time": None, "bars": None,
                               "minutes": math.nan}  # fmt: skip
            flat |= {f"{name}_{key}": item for key, item in nested.items()}
        else:
            flat[name] = value
    return flat


class _Task(NamedTuple):
    """One config of one symbol and how to scan it, or why it cannot be."""

    config: Config | None
    path: Path | None
    where: Locations | None
    engine: str
    length: int
    gradient: Gradient
    failed: ScanRow | None = None


class _Seen(NamedTuple):
    """What one task gave: rows, the assumptions they rest on, colours of low and high values."""

    rows: list[ScanRow]
    told: list[tuple[str, str]]
    colours: set[tuple[str, str]]


def scan(
    configs: Given | Sequence[Given],
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    results: str | Path = "results",
    offline: bool = False,
    engine: str = "auto",
    length: int = 14,
    up_color: str | int | None = None,
    dn_color: str | int | None = None,
    grid_foreground_color: str | int = TEXT_COLOR,
    sort: str | None = None,
    jobs: int = 1,
    count: Count = _no_count,
) -> Scan:
    """Return the latest of every indicator that the configs' strategies show, its page written.

    Parameters
    ----------
    configs : path, mapping or Config, or several
        One with `symbols` gives each symbol its rows.
    overrides, data_dir, cache_dir, results, offline, engine
        As in `hpi_bt.run`; the page is `results`/scan.html, and no result folder is made.
    length : int, default=14
        Bars in whose range a value's position is taken, where the indicator has no gradient line.
    up_color, dn_color : colour, optional
        Of a value at the top and at the bottom of its range; by default those that the indicator
        declares, else yellow and cyan. -1 disables the gradient.
    grid_foreground_color : colour, default="#000000"
        Of the text on them. -1 disables the gradient.
    sort : str, optional
        A key of `SORTS`; by default the rows stand in the order of the configs.
    jobs : int, default=1
        Processes. A config takes a tenth of a second and a process three seconds to begin, so
        that more than one pays from some sixty configs on.
    count : callable, optional
        Called with (configs done, configs in all).

    Raises
    ------
    InputError
        No config, an option that is none, or nothing could be scanned; what is wrong with one of
        several configs stands in its row.
    """
    given = [configs] if isinstance(configs, str | Path | Mapping | Config) else list(configs)
    if not given:
        raise InputError("scan: no config given; name at least one, such as configs/demo.yaml")
    _check(length, sort, jobs)
    gradient = gradient_of(up_color, dn_color, grid_foreground_color)
    parent = user_path(results, "results")
    check_writable(parent)
    places = {"data_dir": data_dir, "cache_dir": cache_dir, "offline": offline}
    how = (engine, length, gradient)
    changes = list(overrides)
    tasks = [task for config in given for task in _tasks(config, changes, places, how)]
    seen = []
    for one in _all_seen(tasks, jobs):
        seen.append(one)
        count(len(seen), len(tasks))
    rows = [row for one in seen for row in one.rows]
    if all(row.error for row in rows):
        raise InputError(rows[0].error)
    rows = rows if sort is None else sorted(rows, key=SORTS[sort])
    page = parent / SCAN
    pairs = set().union(*(one.colours for one in seen))
    legend = pairs.pop() if len(pairs) == 1 else None
    write_scan(page, rows, banner=_banner(seen, length), made=datetime.now(UTC), gradient=legend)
    update_index(parent, make=False)  # which links the page
    return Scan(tuple(rows), page)


def _check(length: int, sort: str | None, jobs: int) -> None:
    if isinstance(length, bool) or not isinstance(length, int) or length < 2:
        raise InputError(
            f"{length}", field="length", remedy="give a whole number of bars, 2 or more"
        )
    if sort is not None and sort not in SORTS:
        raise InputError(f"no column {sort!r}{did_you_mean(sort, SORTS)}", field="sort")
    if jobs < 1:
        raise InputError(f"{jobs}", field="jobs", remedy="give at least one")


def _tasks(
    given: Given,
    overrides: Sequence[str],
    places: Mapping[str, Any],
    how: tuple[str, int, Gradient],
) -> list[_Task]:
    """Return a task for each symbol of a config, or one that tells why it cannot be read."""
    try:
        model, path = read_config(given, overrides)
        where = locations(path, **places)
        return [_Task(config, path, where, *how) for config in configs_of(model)]
    except InputError as error:
        failed = ScanRow("", _name_of(given), error=_line(error))
        return [_Task(None, None, None, *how, failed=failed)]


def _name_of(given: Given) -> str:
    if isinstance(given, Config):
        return given.name
    return str(given.get("name", "config") if isinstance(given, Mapping) else given)


def _line(error: Exception) -> str:
    said = " ".join(str(error).split())
    return said if isinstance(error, InputError) else f"{type(error).__name__}: {said}"


def _all_seen(tasks: Sequence[_Task], jobs: int) -> Iterator[_Seen]:
    """Give what each task gives, in their order."""
    if min(jobs, len(tasks)) == 1:
        yield from map(_see, tasks)
        return
    from joblib import Parallel, delayed

    pool, here = Parallel(n_jobs=min(jobs, len(tasks)), return_as="generator"), Path.cwd()
    yield from pool(delayed(_see_from)(here, task) for task in tasks)


def _see_from(folder: Path, task: _Task) -> _Seen:
    """Return `_see` as from that folder: processes outlive a change of the caller's."""
    with chdir(folder):
        return _see(task)


def _see(task: _Task) -> _Seen:
    """Return the rows of a task, or the one that says why it has none."""
    config = task.config
    if config is None or task.where is None:
        return _Seen([task.failed] if task.failed else [], [], set())
    gradient, style = task.gradient, config.chart
    try:
        record = record_of_config(config, task.path, task.where, engine=task.engine)
        rows = rows_of(record, config.name, length=task.length, gradient=gradient, style=style)
        told = [row for row in assumptions(config, record) if row[0] in _TOLD]
        lines = headlines_of(record.panes, style).values() if gradient.enabled else ()
    except Exception as error:  # a user's strategy may raise anything
        symbol = getattr(config.data.source, "symbol", None)
        return _Seen([ScanRow(str(symbol or ""), config.name, error=_line(error))], [], set())
    return _Seen(rows, told, {gradient.of(line) for line in lines})


def _banner(seen: Sequence[_Seen], length: int) -> Banner:
    """Return what the rows rest on; where configs differ, which say what."""
    said: dict[str, dict[str, list[str]]] = {}
    for one in seen:
        for what, how in one.told:
            said.setdefault(what, {}).setdefault(how, []).append(one.rows[0].config)
    return [
        *(
            (what, how if len(ways) == 1 else f"{how} ({', '.join(dict.fromkeys(names))})")
            for what, ways in said.items()
            for how, names in ways.items()
        ),
        (
            "Position",
            f"of the value between the lowest (0) and the highest (1) of its last {length} bars; "
            "an indicator's own gradient where it has one",
        ),
        ("Age", "of a cross or an alert: counted from the row's last bar, not from now"),
    ]


def _highest_first(value: float) -> tuple[bool, float]:
    return math.isnan(value), -value


def _newest_first(last: Occurrence | None) -> float:
    return math.inf if last is None else last.minutes


#: Orders of rows: words from a on, times and numbers from the top, crosses and alerts from the
#: newest; what is not known comes last.
SORTS: dict[str, Callable[[ScanRow], Any]] = {
    "symbol": lambda row: (bool(row.error), row.symbol),
    "config": lambda row: (bool(row.error), row.config),
    "indicator": lambda row: (bool(row.error), row.indicator),
    "time": lambda row: math.inf if row.time is None else -epoch(row.time),
    "close": lambda row: _highest_first(row.close),
    "value": lambda row: _highest_first(row.value),
    "position": lambda row: _highest_first(row.position),
    "cross": lambda row: _newest_first(row.cross),
    "alert": lambda row: _newest_first(row.alert),
}
