"""What the figures are of: shipped configs, chains, the gauge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

import hpi_bt as hb

from .figures import numbers_of, table_of

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
#: Files of the real data's folder, by what they need to be read.
CHAINS: dict[str, dict[str, Any]] = {
    **{f"chains/IWM_chain_2026-08-{day}.csv.gz": {} for day in (12, 13, 14)},
    **{f"chains/SPY_chain_2026-08-{day}.csv.gz": {} for day in (12, 13, 14)},
    "chains/QQQ_chain_2026-08-14.csv.gz": {},
    "chains/spx_quotedata_2023-08-20.csv": {},
    "chains/spx_quotedata_2023-09-14.csv": {},
    "chains/spx_quotedata_2024-01-07.csv": {},
    "chains/spy_quotedata_2023-09-14.csv": {},
}
BOOKS = ("two_strikes", "one_strike", "at_the_money")
#: The newest files, and the day on which fear was greatest.
GAUGES = {"gauge": None, "gauge-2020-03-20": "2020-03-20"}
TODAY = date(2026, 8, 18)  # else what is stale depends on the clock


@dataclass(frozen=True)
class Case:
    """Figures of one thing; `compute` is given the folder of real data and an empty folder."""

    name: str
    is_real: bool
    compute: Callable[[Path, Path], dict[str, Any]]


def every_case() -> list[Case]:
    """Return all cases, made-up data first."""
    configs = [*sorted(CONFIGS.glob("*.yaml")), *sorted(CONFIGS.glob("real/*.yaml"))]
    return [
        *(Case(p.stem, p.parent.name == "real", _config(p)) for p in configs),
        *(Case(f"chain-demo_{book}", False, _demo_chain(book)) for book in BOOKS),
        *(Case(f"chain-{_stem(f)}", True, _chain(f, given)) for f, given in CHAINS.items()),
        *(Case(name, True, _gauge(as_of)) for name, as_of in GAUGES.items()),
    ]


def _stem(file: str) -> str:
    return Path(file).name.partition(".")[0]


def _config(path: Path) -> Callable[[Path, Path], dict[str, Any]]:
    """Return what computes a run's account, trades and signals, and its features where they are."""

    def compute(data: Path, scratch: Path) -> dict[str, Any]:
        where: dict[str, Any] = {"data_dir": data, "cache_dir": scratch / "cache", "offline": True}
        try:
            ahead = hb.flow(path, **where)
        except hb.InputError:  # has none
            ahead = []
        unstudied = ["study.enabled=false"]
        run = hb.run(path, overrides=unstudied, results=scratch / "results", **where)
        tables = {"trades": run.trades, "equity": run.equity, "signals": run.signals}
        tables |= {f"features_{i}_{one.name}": one.rows for i, one in enumerate(ahead)}
        return _whole(run.summary, tables)

    return compute


def _demo_chain(book: Any) -> Callable[[Path, Path], dict[str, Any]]:
    def compute(_data: Path, _scratch: Path) -> dict[str, Any]:
        made = hb.demo_chain(book, rate=0.04, dividend=0.01)
        return _whole(hb.chain_report(made.chain).summary, {})

    return compute


def _chain(file: str, given: dict[str, Any]) -> Callable[[Path, Path], dict[str, Any]]:
    def compute(data: Path, _scratch: Path) -> dict[str, Any]:
        return _whole(hb.chain_report(data / file, **given).summary, {})

    return compute


def _gauge(as_of: str | None) -> Callable[[Path, Path], dict[str, Any]]:
    def compute(data: Path, scratch: Path) -> dict[str, Any]:
        report = hb.gauge_report(
            data_dir=data, cache_dir=scratch, offline=True, as_of=as_of, today=TODAY
        )
        return _whole(report.as_dict(), {"history": _history(report.result)})

    return compute


def _history(result: hb.GaugeResult) -> pd.DataFrame:
    """Return every series of the gauge as one table."""
    series = {n: v for n, v in result._asdict().items() if isinstance(v, pd.Series | pd.DataFrame)}
    wide = [
        one.rename(name) if isinstance(one, pd.Series) else one.add_prefix(f"{name}.")
        for name, one in series.items()
    ]
    return pd.concat(wide, axis=1)


def _whole(figures: dict[str, Any], tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    return {
        "figures": numbers_of(figures),
        "tables": {name: table_of(table) for name, table in tables.items()},
    }
