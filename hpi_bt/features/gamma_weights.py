"""Volume and open interest in dollars of gamma, contract by contract (SPEC section 7)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.features.contract_rows import EPOCH, ContractRows
from hpi_bt.features.contract_vols import ORIGINS, ContractVols
from hpi_bt.features.underlying import SPOT
from hpi_bt.sources.hours import counted
from hpi_bt.sources.snapshots import first_per_group

VOLUMES = ("put_gamma_volume", "call_gamma_volume")
INTEREST = ("put_gamma_oi", "call_gamma_oi")
AMOUNTS = (*VOLUMES, *INTEREST)
#: Days to expiry: bucket, and its first day.
BUCKETS = {"0": 0, "1-7": 1, "8-30": 8, "31+": 31}
SESSION = "gamma_session"  # column: the session to which a row's open interest belongs


class GammaWeights(NamedTuple):
    """Contracts in dollars of delta per 1 % move, each array of shape (n_rows,).

    `volume` is what the row adds to its session; `held` is the open interest in the session's
    first snapshot, 0 in every other.
    """

    rows: ContractRows
    volume: FloatArray
    held: FloatArray
    notes: tuple[str, ...]


def weighted_contracts(
    rows: ContractRows,
    vols: ContractVols,
    *,
    dte: tuple[int, int] | None = None,
    within_pct: float | None = None,
) -> GammaWeights:
    """Return each contract's volume and open interest times its gamma.

    Parameters
    ----------
    rows : ContractRows
    vols : ContractVols
        Of the same rows.
    dte : (int, int), optional
        First and last number of days to expiry that count.
    within_pct : float, optional
        How far a strike may lie from spot, in percent of it.

    Returns
    -------
    weights : GammaWeights
        Shares x gamma S^2 0.01: gamma of the row's own moment. Expired contracts and those without
        a vol count as 0, the latter noted.

    Raises
    ------
    InputError
        No contract is within `dte` and `within_pct`.
    """
    chosen = _chosen(rows, dte, within_pct)
    if not chosen.any():
        raise InputError(
            f"gamma_volume: no contract within dte {dte or 'any'} and {within_pct or 'any'} % of "
            "spot; widen them"
        )
    dollars = np.where(chosen, _dollars(rows, vols), 0.0)
    first = _first_of_session(rows.chain.session, rows.chain.moment)
    held = np.where(first, np.nan_to_num(rows.held), 0.0)
    notes = [
        *rows.notes,
        _shares("volume", rows.traded, vols.origin, chosen),
        _shares("open interest", held, vols.origin, chosen),
    ]
    known = np.nan_to_num(dollars)
    return GammaWeights(rows, rows.traded * known, held * known, tuple(n for n in notes if n))


def _chosen(rows: ContractRows, dte: tuple[int, int] | None, within_pct: float | None) -> BoolArray:
    chosen = np.ones(len(rows.spot), dtype=bool)
    if dte is not None:
        chosen &= (rows.dte >= dte[0]) & (rows.dte <= dte[1])
    if within_pct is not None:
        chosen &= np.abs(rows.chain.strike / rows.spot - 1.0) * 100.0 <= within_pct
    return chosen


def _dollars(rows: ContractRows, vols: ContractVols) -> FloatArray:
    """Return dollars of delta per 1 % move and share; the yield is what the forward implies."""
    from hpi_bt.options.black_scholes import curvatures  # compiled: not at each start

    chain, tau = rows.chain, rows.tau_years
    alive = tau > 0.0
    years = np.where(alive, tau, 1.0)
    dividend = rows.rate - np.log(vols.forward / rows.spot) / years
    gamma = curvatures(
        rows.spot,
        chain.strike,
        tau,
        np.where(alive, vols.sigma, 1.0),
        chain.right.astype(np.float64),
        rate=rows.rate,
        dividend=np.where(alive, dividend, 0.0),
    ).gamma
    return gamma * rows.spot**2 * 0.01


def _first_of_session(session: IntArray, moment: IntArray) -> BoolArray:
    """Return whether each row is of its session's first snapshot; rows are oldest first."""
    sessions, start = np.unique(session, return_index=True)
    first: BoolArray = moment == moment[start][np.searchsorted(sessions, session)]
    return first


def _shares(what: str, amount: FloatArray, origin: IntArray, chosen: BoolArray) -> str:
    """Return in words where the vols come from that weigh an amount."""
    total = float(amount[chosen].sum())
    if not total > 0.0:
        return f"gamma: there is no {what}"
    parts = np.bincount(origin[chosen], amount[chosen], minlength=len(ORIGINS)) / total
    words = [
        f"{name} for {f'{100 * part:.1f} %' if part >= 0.0005 else 'under 0.1 %'}"
        for name, part in zip(ORIGINS, parts, strict=True)
        if part
    ]
    lost = " (expired, or counted as 0)" if parts[0] else ""
    return f"gamma of {what}: {', '.join(words[::-1])}{lost}"


def snapshot_amounts(weights: GammaWeights) -> pd.DataFrame:
    """Return AMOUNTS, SESSION and spot by snapshot, index its moment (UTC).

    Volumes are of the snapshot, open interest is that of its session's first; NaN where that has
    none on either side.
    """
    chain = weights.rows.chain
    moments, place = np.unique(chain.moment, return_inverse=True)
    sessions, of_row = np.unique(chain.session, return_inverse=True)
    of_moment = np.zeros(len(moments), dtype=np.int64)
    of_moment[place] = of_row
    columns: dict[str, npt.NDArray[Any]] = {}
    for side, name in ((-1, "put"), (1, "call")):
        own = chain.right == side
        volume = np.bincount(place[own], weights.volume[own], minlength=len(moments))
        held = np.bincount(of_row[own], weights.held[own], minlength=len(sessions))
        columns[f"{name}_gamma_volume"] = volume
        columns[f"{name}_gamma_oi"] = held[of_moment]
    counted_at_all = np.bincount(of_row, weights.held, minlength=len(sessions)) > 0.0
    for name in INTEREST:
        columns[name] = np.where(counted_at_all[of_moment], columns[name], np.nan)
    columns[SESSION] = sessions[of_moment].astype(np.float64)
    columns[SPOT] = first_per_group(place, weights.rows.spot, len(moments))
    index = pd.DatetimeIndex(moments.astype("M8[ns]"), tz="UTC", name="time")
    return pd.DataFrame(columns, index=index)[[*AMOUNTS, SESSION, SPOT]]


def gamma_by_strike_and_dte(weights: GammaWeights) -> pd.DataFrame:
    """Return AMOUNTS by session, bucket of days to expiry and strike.

    Returns
    -------
    table : DataFrame
        session (date), dte (of BUCKETS), strike (dollars), then dollars of delta per 1 % move:
        volume over the session, open interest at its start. Ascending; rows of nothing left out.
        Summed over strikes and buckets they are the session's own.
    """
    chain = weights.rows.chain
    starts = np.array(list(BUCKETS.values()))
    bucket = np.searchsorted(starts, np.maximum(weights.rows.dte, 0), side="right") - 1
    keys = {"session": chain.session - EPOCH, "dte": bucket, "strike": chain.strike}
    columns = {}
    for side, name in ((-1, "put"), (1, "call")):
        own = chain.right == side
        columns[f"{name}_gamma_volume"] = np.where(own, weights.volume, 0.0)
        columns[f"{name}_gamma_oi"] = np.where(own, weights.held, 0.0)
    table = pd.DataFrame(keys | columns).groupby(list(keys), as_index=False)[list(AMOUNTS)].sum()
    table = table[(table[list(AMOUNTS)] != 0.0).any(axis=1)].reset_index(drop=True)
    days = table["session"].to_numpy().astype("M8[D]").astype("M8[ms]")
    names = np.array(list(BUCKETS), dtype=object)[table["dte"]]
    return table.assign(session=pd.DatetimeIndex(days), dte=names)


def bucket_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return `gamma_by_strike_and_dte` by session and bucket, and the strike with most volume."""
    keys = ["session", "dte"]
    sums = table.groupby(keys, sort=False)[list(AMOUNTS)].sum()
    volume = table[list(VOLUMES)].sum(axis=1)
    most = table.loc[volume.groupby([table[k] for k in keys], sort=False).idxmax()]
    made = sums.assign(busiest_strike=most.set_index(keys)["strike"]).reset_index()
    return made.assign(session=made["session"].dt.strftime("%Y-%m-%d"))


def bucket_note(table: pd.DataFrame) -> str:
    """Return in words how the volume of `gamma_by_strike_and_dte` spreads over its buckets."""
    sums = table.groupby("dte")[list(VOLUMES)].sum().sum(axis=1)
    total = float(sums.sum())
    if not total > 0.0:
        return "gamma volume: none"
    parts = [
        f"{name} days {100 * sums[name] / total:.1f} %" for name in BUCKETS if name in sums.index
    ]
    sessions = counted(int(table["session"].nunique()), "session")
    return f"gamma volume of {sessions} by days to expiry: {', '.join(parts)}"
