"""The result folder: written beside and renamed into place, so it is whole or absent."""

from __future__ import annotations

import html
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from hpi_bt.backtest.alerting import ALERT_COLUMNS
from hpi_bt.backtest.record import Record
from hpi_bt.backtest.strict_json import json_safe
from hpi_bt.errors import InputError
from hpi_bt.stats.summary import figures, is_short

_MINUS = "\N{MINUS SIGN}"
VETO_COLUMNS = ("time", "data", "side", "size", "hpi", "reason")


@dataclass(frozen=True)
class Result:
    """One finished run, read from its folder on demand.

    Attributes
    ----------
    folder : Path
        Where everything lies.
    summary : dict
        The numbers of summary.json.
    trades, equity, signals, alerts : DataFrame
        One row a round trip, one a bar, one a bar, one an alert.
    """

    folder: Path

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The numbers of summary.json."""
        loaded: dict[str, Any] = json.loads((self.folder / "summary.json").read_text("utf-8"))
        return loaded

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Round trips, one row each."""
        return pd.read_csv(self.folder / "trades.csv")

    @cached_property
    def equity(self) -> pd.DataFrame:
        """Account value, position and exposure of each bar, as `Record.account` has them."""
        return pd.read_parquet(self.folder / "equity.parquet")

    @cached_property
    def signals(self) -> pd.DataFrame:
        """Bars, target and indicator lines."""
        return pd.read_parquet(self.folder / "signals.parquet")

    @cached_property
    def alerts(self) -> pd.DataFrame:
        """What the indicators' event lines said, one row an alert."""
        return pd.read_csv(self.folder / "alerts.csv")

    def __repr__(self) -> str:
        """Return the main figures in a line."""
        s = self.summary
        known = s["sharpe"] is not None and not is_short(s)
        sharpe = f"{s['sharpe']:.2f}".replace("-", _MINUS) if known else "n/a"
        figures = [f"return {_percent(s['total_return'])}", f"Sharpe {sharpe}"]
        figures.append(f"trades {s['trades']}")
        demo = "DEMO, " if s["demo"] else ""
        return f"<Result {s['name']}: {demo}{', '.join(figures)}; {self.folder}>"

    def _repr_html_(self) -> str:
        """Return the main figures as a table, for notebooks."""
        cells = [[f.label, f.value, f.benchmark, f.note] for f in figures(self.summary)]
        table = pd.DataFrame(cells, columns=["", "Strategy", "Buy and hold", ""])
        return f"<p>{html.escape(repr(self)[1:-1])}</p>" + str(table.to_html(index=False))


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:+.2%}".replace("-", _MINUS)


def check_writable(parent: Path, argument: str = "results") -> None:
    """Refuse a folder in which nothing can be written, before any work is done.

    `argument` is the one that names the folder.
    """
    whole = parent.absolute()
    there = next(p for p in (whole, *whole.parents) if p.exists())
    try:
        if not there.is_dir():
            raise NotADirectoryError(0, f"{there} is a file")
        with tempfile.TemporaryDirectory(prefix=".writable-", dir=there):
            pass
    except OSError as error:
        raise InputError(
            f"results cannot be written there ({error.strerror or error})",
            where=str(parent),
            remedy=f"give another folder as `{argument}`",
        ) from None
    _sweep_partial(parent)


def _sweep_partial(parent: Path) -> None:
    """Remove what runs that were killed have left."""
    for left in parent.glob(".partial-*"):
        pid = left.name.split("-")[1]
        if pid.isdigit() and not alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def alive(pid: int) -> bool:
    """Return whether a process of that number runs on this machine."""
    if pid == os.getpid():
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder for the block; where the block fails, what was made and is empty goes again."""
    new = [p for p in (folder, *folder.parents) if not p.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for path in new:
            with suppress(OSError):  # it holds something by now
                path.rmdir()
        raise


@dataclass
class Draft:
    """A folder being written: hidden at `partial` until it is whole, then at `folder`."""

    partial: Path
    folder: Path


@contextmanager
def whole_folder(parent: Path, name: str) -> Iterator[Draft]:
    """Give a hidden folder to write to; it gets its name when the block ends without an error.

    Where another has taken the name meanwhile it is numbered: `name-2`. The draft then says so.
    """
    with made_folder(parent):
        yield from _drafted(parent, name)


def _drafted(parent: Path, name: str) -> Iterator[Draft]:
    partial = Path(tempfile.mkdtemp(prefix=f".partial-{os.getpid()}-", dir=parent))
    draft = Draft(partial, parent / name)
    try:
        yield draft
        partial.chmod(0o755)
        for number in itertools.count(2):
            try:
                if not draft.folder.exists():
                    partial.rename(draft.folder)
                    break
            except OSError:  # taken since we looked, by a run that ended in the same second
                if not draft.folder.exists():
                    raise
            draft.folder = parent / f"{name}-{number}"
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def write_result(
    parent: Path,
    name: str,
    record: Record,
    *,
    summary: dict[str, Any],
    config: str,
    environment: dict[str, Any],
    log: list[str],
    pages: dict[str, Callable[[Path], None]],
) -> Result:
    """Write a run's folder and return it.

    Parameters
    ----------
    parent, name
        `parent/name` appears when everything is written.
    record : Record
        What the engine recorded.
    summary, config, environment, log
        Contents of summary.json, config.yaml, env.json and run.log.
    pages : dict
        File name: function that writes it to the path it is given.
    """
    with whole_folder(parent, name) as draft:
        folder = draft.partial
        (folder / "config.yaml").write_text(config, "utf-8")
        write_json(folder / "summary.json", summary | {"alerts": len(record.alerts)})
        write_json(folder / "env.json", environment)
        write_json(folder / "panes.json", record.panes)
        (folder / "run.log").write_text("\n".join(log) + "\n", "utf-8")
        record.trades.to_csv(folder / "trades.csv", index=False)
        vetoes = pd.DataFrame(record.vetoes, columns=list(VETO_COLUMNS))
        vetoes.to_csv(folder / "vetoed.csv", index=False)
        record.alerts.to_csv(folder / "alerts.csv", columns=list(ALERT_COLUMNS), index=False)
        record.account.to_parquet(folder / "equity.parquet")
        bars = record.frame.drop(columns=[c for c in record.signals if c in record.frame])
        bars.attrs = {}
        bars.join(record.signals).to_parquet(folder / "signals.parquet")
        for file, write in pages.items():
            write(folder / file)
    return Result(draft.folder)


def write_json(path: Path, value: Any) -> None:
    """Write a value as strict JSON."""
    text = json.dumps(json_safe(value), indent=2, allow_nan=False, ensure_ascii=False)
    path.write_text(text + "\n", "utf-8")
