"""What a `Confirmed` filter did: its run again without it, and the entries that it would veto."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.config import Config, validated
from hpi_bt.errors import InputError
from hpi_bt.finished import FinishedRun, read_run
from hpi_bt.frames import Stage, locations
from hpi_bt.report.compared import with_adjusted
from hpi_bt.runs import run_model
from hpi_bt.stats.difference import group_difference
from hpi_bt.stats.forward import Bars, Horizon, checked_bars, checked_horizons

INTRADAY: tuple[Horizon, ...] = (1, 5, 15, 30, 60)
DAILY: tuple[Horizon, ...] = (1, 5, 10, 21)
OWN_TRADE = "over its own trade"
_SUFFIX = " unfiltered"
_LONGEST_NAME = 80  # characters that a config's name may have
_ENTRY = ("bar", "time", "session", "data", "side", "size", "hpi", "vetoed", "reason", "filled")


@dataclass(frozen=True)
class Unfiltered:
    """The run without its filter.

    Attributes
    ----------
    run : FinishedRun
    entries : DataFrame
        Every entry that the filter was asked about, as `entry_table` gives them.
    warnings : list of str
        What else than the filter has changed.
    """

    run: FinishedRun
    entries: pd.DataFrame
    warnings: list[str]


def run_unfiltered(
    run: FinishedRun,
    results: Path,
    *,
    horizons: Sequence[Horizon] | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
    stage: Stage,
) -> Unfiltered:
    """Run the strategy of a finished run again with `confirm_enabled` off, its folder written.

    Raises
    ------
    InputError
        The run came from no config, its strategy is no `Confirmed`, its filter was off, or a
        horizon is longer than every session.
    """
    from hpi_bt.strategy.confirmed import Confirmed, watched

    check_horizons(run, horizons)
    path = run.folder / "config.yaml"
    model = _without_filter(run, path)
    entries: list[dict[str, Any]] = []

    def wrap(strategy: type) -> type:
        if issubclass(strategy, Confirmed):
            return watched(strategy, entries)
        raise InputError(
            f"{run.folder}: its strategy, {strategy.__name__}, is no Confirmed and vetoes nothing; "
            "give a run of `class Mine(Confirmed, MyStrategy)`"
        )

    where = locations(path, data_dir, offline, cache_dir)
    result = run_model(model, path, where, results, stage=stage, wrap=wrap)
    again = read_run(result.folder, results)
    symbol = str(again.summary.get("symbol", ""))
    table = entry_table(entries, result.signals, again.trades, horizons, symbol)
    return Unfiltered(again, table, changes(run, again))


def _without_filter(run: FinishedRun, path: Path) -> Config:
    """Return the config of a run with its filter off."""
    if not isinstance(run.config.get("data"), dict):
        raise InputError(
            f"{path}: is no config that can be run again (hb.Report wrote it); "
            "give a run of `hpi-bt run`"
        )
    if run.summary.get("kind"):
        raise InputError(f"{run.folder}: is a {run.summary['kind']}; give a run of `hpi-bt run`")
    if dict(run.summary.get("params") or {}).get("confirm_enabled") is False:
        raise InputError(
            f"{run.folder}: is itself unfiltered (confirm_enabled: false); give the run it came of"
        )
    model = validated(run.config, str(path))
    params = {**model.strategy.params, "confirm_enabled": False}
    changed = {
        "alerts": None,  # the user's function has heard of them
        "name": model.name[: _LONGEST_NAME - len(_SUFFIX)] + _SUFFIX,
        "strategy": model.strategy.model_copy(update={"params": params}),
    }
    return model.model_copy(update=changed)


def changes(filtered: FinishedRun, unfiltered: FinishedRun) -> list[str]:
    """Return what else than the filter differs between the two runs, as warnings."""
    before, now = filtered.environment, unfiltered.environment
    told = (
        ("data_fingerprint", "the data have changed since the filtered run"),
        ("strategy_fingerprint", "the strategy's code has changed since the filtered run"),
    )
    found = [text for key, text in told if before.get(key) != now.get(key)]
    old, new = (e.get("packages", {}).get("hpi-bt") for e in (before, now))
    rules = [e.get("package_fingerprint") for e in (before, now)]
    if old == new and all(rules) and rules[0] != rules[1]:
        found.append("the code of hpi-bt has changed since the filtered run")
    if old != new:
        found.append(f"the filtered run was made by hpi-bt {old}, the other by {new}")
    return [f"{text}: differences are not the filter's alone; run it again" for text in found]


def check_horizons(run: FinishedRun, horizons: Sequence[Horizon] | None) -> None:
    """Refuse horizons that no session of a run (or not its data) is long enough for."""
    if horizons is not None:
        flat = np.ones(run.session.size)
        checked_horizons(horizons, [checked_bars(flat, flat, run.session)])


def entry_table(
    entries: Sequence[dict[str, Any]],
    bars: pd.DataFrame,
    trades: pd.DataFrame,
    horizons: Sequence[Horizon] | None = None,
    symbol: str = "",
) -> pd.DataFrame:
    """Return one row an entry: what was asked, whether it would be vetoed, what followed.

    Parameters
    ----------
    entries : sequence of dict
        As `hpi_bt.strategy.confirmed.watched` gives them.
    bars : DataFrame
        open, close and session, minutes_open where it is known.
    trades : DataFrame
        Round trips of the unfiltered run.
    horizons : sequence of int or "close", optional
        Bars ahead; 1, 5, 15, 30, 60 and "close", for daily bars 1, 5, 10, 21, those longer than
        every session (or the data) left out.
    symbol : str, default=""
        The instrument of `bars`: what followed is known for its entries alone.

    Returns
    -------
    table : DataFrame
        bar, time, session, data, side, size, hpi, vetoed, reason, filled, then a column a horizon:
        side x (close[bar + h]/open[bar + 1] - 1), NaN where it would leave the session; last the
        return of the round trip that it opened, before commission.

    Raises
    ------
    InputError
        A horizon longer than every session (or the data), where they are given.
    """
    studied = checked_bars(
        bars["open"], bars["close"], bars["session"], minutes_open=bars.get("minutes_open")
    )
    wanted = _horizons(studied, horizons)
    asked = pd.DataFrame(
        list(entries), columns=[c for c in _ENTRY if c not in ("session", "vetoed")]
    )
    asked["vetoed"] = asked["reason"].astype(str) != ""
    at = asked["bar"].to_numpy(dtype=np.int64)
    asked["session"] = studied.session[at]
    asked["time"] = bars.index[at]
    side = asked["side"].to_numpy(dtype=np.float64)
    ours = asked["data"].isin(["", symbol]).to_numpy()
    table = asked[list(_ENTRY)]
    for horizon in wanted:
        forward = side * studied.forward(horizon)[at]
        table = table.assign(**{_label(horizon): np.where(ours, forward, np.nan)})
    return table.assign(**{OWN_TRADE: _own_trade(table, trades)})


def _horizons(bars: Bars, horizons: Sequence[Horizon] | None) -> list[Horizon]:
    """Return the horizons, the usual ones where none are given and as far as the bars reach."""
    if horizons is not None:
        return checked_horizons(horizons, [bars])
    usual = [h for h in (DAILY if bars.daily else INTRADAY) if int(h) < bars.longest()]
    return usual if bars.daily else [*usual, "close"]


def _label(horizon: Horizon) -> str:
    if horizon == "close":
        return "to the session's close"
    return f"over {horizon} bar{'s' * (horizon != 1)}"


def _own_trade(entries: pd.DataFrame, trades: pd.DataFrame) -> FloatArray:
    """Return the price return of the round trip that each entry opened, else NaN."""
    closed = trades[trades["status"] == "closed"]
    gain = closed["direction"] * (closed["exit_price"] / closed["entry_price"] - 1.0)
    keys = zip(
        closed["data"].fillna("").astype(str), closed["entry_bar"], closed["direction"], strict=True
    )
    made = dict(zip(keys, gain.tolist(), strict=True))
    asked = zip(entries["data"], entries["filled"], entries["side"], strict=True)
    return np.array([made.get(key, np.nan) for key in asked], dtype=np.float64)


def filter_effect(entries: pd.DataFrame, *, draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Return accepted against vetoed entries, one row a horizon and one for their own trades.

    Parameters
    ----------
    entries : DataFrame
        As `entry_table` gives it.
    draws : int, default=2000
        Bootstrap draws of whole sessions.
    seed : int, default=0

    Returns
    -------
    table : DataFrame, index horizon in words
        n_accepted, mean_accepted, n_vetoed, mean_vetoed, difference (accepted - vetoed), low, high,
        p_value, p_adjusted, detectable, mean_block, note. Decimals before commission.
    """
    rows = {}
    for name in [c for c in entries.columns if c not in _ENTRY]:
        found = group_difference(
            entries[name], ~entries["vetoed"], entries["session"], draws=draws, seed=seed
        )
        note = found.found.note.replace("the first group", "the accepted group")
        rows[name] = {
            "n_accepted": found.n_first,
            "mean_accepted": found.mean_first,
            "n_vetoed": found.n_second,
            "mean_vetoed": found.mean_second,
            **found.found._asdict(),
            "note": note.replace("the second group", "the vetoed group"),
        }
    return with_adjusted(pd.DataFrame.from_dict(rows, orient="index"))
