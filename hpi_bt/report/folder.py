"""From a record to its result folder: figures, assumptions, environment and pages."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt import __version__
from hpi_bt.backtest.record import Record
from hpi_bt.backtest.result import VETO_COLUMNS, Result, write_result
from hpi_bt.errors import diagnostics
from hpi_bt.identity import package_fingerprint
from hpi_bt.report.index import update_index
from hpi_bt.report.pages import Banner
from hpi_bt.report.signals import write_signals
from hpi_bt.report.study import study_files
from hpi_bt.report.tearsheet import write_tearsheet
from hpi_bt.sources.chain_importance import by_importance
from hpi_bt.stats.metrics import session_returns
from hpi_bt.stats.study import SignalStudy
from hpi_bt.stats.summary import buy_and_hold, figures, summarise
from hpi_bt.stats.verdicts import conclusions

_PACKAGES = ("hpi-bt", "backtrader", "numpy", "pandas", "numba", "quantstats", "exchange_calendars")
_STEM_BYTES = 120  # file systems allow 255 bytes, and the stamp and hash come behind


@dataclass(frozen=True)
class Story:
    """What a record does not know about its own run.

    Attributes
    ----------
    name : str
        Headline, and the first part of the folder's name.
    config : str
        Text of config.yaml.
    banner : sequence of (what, how)
        The assumptions.
    benchmark : bool
        Whether to compare with buying and holding the instrument.
    figures : mapping
        Further entries of summary.json.
    style : mapping
        Colours and widths of the signal page, by line.
    pages : mapping
        Further files: name, and the function that writes it to the path it is given.
    study : SignalStudy, optional
        What followed the signals.
    """

    name: str
    config: str
    banner: Banner
    benchmark: bool = True
    figures: Mapping[str, Any] = field(default_factory=dict)
    style: Mapping[str, Any] = field(default_factory=dict)
    pages: Mapping[str, Callable[[Path], None]] = field(default_factory=dict)
    study: SignalStudy | None = None


def write_run(record: Record, parent: Path, story: Story, made: datetime) -> Result:
    """Write the folder of a finished run, tear sheet included, and return it as a `Result`.

    Parameters
    ----------
    record : Record
        What the engine recorded.
    parent : Path
        The folder appears in it, whole or not at all.
    story : Story
        What the record does not know.
    made : datetime
        Now, in UTC.
    """
    frame = record.frame
    benchmark = buy_and_hold(frame) if story.benchmark else None
    against = None if benchmark is None or benchmark.empty else benchmark
    environment = environment_of(frame, record.code)
    summary = _summary(record, story, against) | {"made_at": made.isoformat(timespec="seconds")}
    notes = summary["notes"]
    identity = "".join((
        story.config, environment["data_fingerprint"], record.code, __version__,
        environment["package_fingerprint"],
    ))  # fmt: skip
    digest = hashlib.sha1(identity.encode(), usedforsecurity=False).hexdigest()
    equity = pd.Series(record.earned, index=frame.index)
    returns = session_returns(equity, frame["session"], record.cash)

    def tearsheet(path: Path) -> None:
        write_tearsheet(
            path,
            returns,
            title=story.name,
            banner=[
                *story.banner,
                ("Annualised", f"by {round(summary['sessions_per_year'], 1):g} sessions a year"),
                ("Trades", _trading(summary)),
                *caveats(summary),
            ],
            benchmark=against,
            benchmark_name=f"{summary['symbol'] or 'the instrument'} bought and held",
            demo=record.demo,
            parameters={"strategy": record.strategy, **summary["params"]},
            empty_reason="" if len(record.fills) else "The strategy did not trade.",
            periods_per_year=summary["sessions_per_year"],
        )

    def chart(path: Path) -> None:
        own = [c for c in record.signals if c in frame]
        write_signals(
            path,
            frame.drop(columns=own).join(record.signals),
            record.panes,
            record.trades,
            title=story.name,
            banner=[*story.banner, *caveats(summary, warnings_only=True)],
            demo=record.demo,
            vetoes=pd.DataFrame(record.vetoes, columns=list(VETO_COLUMNS)),
            style=story.style,
            symbol=summary["symbol"],
            study=story.study,
        )

    tables = {} if story.study is None else study_files(story.study)
    result = write_result(
        parent,
        folder_name(story.name, digest, made),
        record,
        summary=summary,
        config=story.config,
        environment=environment,
        log=[*record.remarks, *notes],
        pages={"tearsheet.html": tearsheet, "chart.html": chart, **tables, **story.pages},
    )
    update_index(parent)
    return result


def _summary(record: Record, story: Story, benchmark: pd.Series | None) -> dict[str, Any]:
    frame = record.frame
    notes = by_importance(frame.attrs.get("notes", ()))
    counts = {k: int(v) for k, v in record.counts.items() if v or k in ("rejected", "vetoed")}
    return {
        "name": story.name,
        "symbol": str(frame.attrs.get("symbol", "")),
        "strategy": record.strategy,
        "params": _plain(record.params),
        "engine": record.engine,
        "demo": record.demo,
        **summarise(
            frame,
            record.equity,
            record.position,
            record.trades,
            record.fills,
            record.cash,
            benchmark,
            held=record.held_shares,
            flows=record.flows,
        ),
        **counts,
        "remarks": record.remarks,
        "notes": [str(note) for note in notes],
        "diagnostics": diagnostics((*record.remarks, *notes)),
        "study": [] if story.study is None else conclusions(story.study),
        "assumptions": [list(row) for row in story.banner],
        **story.figures,
    }


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON can hold them, without the order rules, which config.yaml has."""
    simple = (str, int, float, bool, type(None))
    return {k: v if isinstance(v, simple) else str(v) for k, v in params.items() if k != "orders"}


def _trading(summary: Mapping[str, Any]) -> str:
    """Return what QuantStats cannot know, as it sees session returns alone."""
    row = {figure.label: figure.value for figure in figures(summary)}
    return (
        f"{row['Trades']} closed, win rate {row['Win rate']}; a position in "
        f"{row['Time in market']} of the bars, average exposure {row['Average exposure']} of "
        f"equity; {row['Costs paid']} of costs paid; "
        f"{row['Rejected orders']} orders rejected"
    )


def caveats(summary: Mapping[str, Any], *, warnings_only: bool = False) -> list[tuple[str, str]]:
    """Return what a run has noticed, as rows of the banner: a page must not say less than it."""
    lines = [str(line) for line in (*summary["remarks"], *summary["notes"])]
    rows = [
        ("Warning", line.removeprefix("warning: "))
        if line.startswith("warning")
        else ("Noticed", line)
        for line in lines
    ]
    return [row for row in rows if row[0] == "Warning" or not warnings_only]


def fingerprint(frame: pd.DataFrame) -> str:
    """Return a hash of the bars: stamps, columns and values."""
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(",".join(frame.columns).encode())
    digest.update(np.ascontiguousarray(pd.DatetimeIndex(frame.index).as_unit("ns").asi8).tobytes())
    digest.update(np.ascontiguousarray(frame.to_numpy(dtype=np.float64)).tobytes())
    return digest.hexdigest()


def environment_of(frame: pd.DataFrame, source: str) -> dict[str, Any]:
    """Return versions, platform and fingerprints: what env.json holds."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return {
        "packages": found,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "data_fingerprint": fingerprint(frame),
        "strategy_fingerprint": source,
        "package_fingerprint": package_fingerprint(),
    }


def _stem(name: str) -> str:
    """Return a name as a part of a file name: letters, digits and -_. alone, and not too long."""
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".-")
    return plain.encode()[:_STEM_BYTES].decode(errors="ignore").rstrip(".-") or "run"


def folder_name(name: str, digest: str, made: datetime) -> str:
    """Return <name>-<utc stamp>-<hash8>."""
    return f"{_stem(name)}-{made:%Y%m%dT%H%M%S}-{digest[:8]}"
