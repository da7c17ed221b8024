"""Volume and open interest in dollars of gamma, contract by contract (definitions 7)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.features import opening_vols
from hpi_bt.features.contract_rows import EPOCH, ContractRows
from hpi_bt.features.contract_vols import ORIGINS, ContractVols
from hpi_bt.features.opening_vols import book_notes, opening_book
from hpi_bt.features.underlying import SPOT
from hpi_bt.sources.hours import counted

VOLUMES = ("put_gamma_volume", "call_gamma_volume")
INTEREST = ("put_gamma_oi", "call_gamma_oi")
AMOUNTS = (*VOLUMES, *INTEREST)
#: Days to expiry: bucket, and its first day.
BUCKETS = {"0": 0, "1-7": 1, "8-30": 8, "31+": 31}
SESSION = "gamma_session"  # column: the session to which a row's open interest belongs


class GammaWeights(NamedTuple):
    """Contracts in dollars of delta per 1 % move, each array of shape (n_rows,).

    `volume` is what the row adds to its session; `held` is the open interest in the session's
    first snapshot (`first` says whether a row is of that), 0 in every other. Both are NaN where
    there is some but no vol is known.
    `known_from`, of shape (n_sessions,), is the moment (UTC ns) from which on `held` is known.
    """

    rows: ContractRows
    volume: FloatArray
    held: FloatArray
    first: BoolArray
    known_from: IntArray
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
        Shares x gamma S^2 0.01: gamma of the row's own moment, for open interest with the vols of
        `opening_book`. Expired contracts count as 0; what has no vol is NaN, and noted.

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
    traded = np.where(chosen & (rows.tau_years > 0.0), rows.traded, 0.0)
    dollars = np.where(traded > 0.0, _dollars(rows, vols.sigma, vols.forward), 0.0)
    book = opening_book(rows, vols, chosen)
    counts = book.first & chosen & (rows.tau_years > 0.0)
    held = np.where(counts, np.nan_to_num(rows.held), 0.0)
    each = np.where(held > 0.0, _dollars(rows, book.sigma, vols.forward), 0.0)
    notes = [
        *rows.notes,
        _shares("volume", rows.traded[chosen], vols.origin[chosen], ORIGINS),
        _shares("open interest", held, book.origin, opening_vols.ORIGINS),
        *book_notes(rows, book, held),
    ]
    volume, interest = traded * dollars, held * each
    return GammaWeights(rows, volume, interest, book.first, book.known_from, tuple(notes))


def _chosen(rows: ContractRows, dte: tuple[int, int] | None, within_pct: float | None) -> BoolArray:
    chosen = np.ones(len(rows.spot), dtype=bool)
    if dte is not None:
        chosen &= (rows.dte >= dte[0]) & (rows.dte <= dte[1])
    if within_pct is not None:
        chosen &= np.abs(rows.chain.strike / rows.spot - 1.0) * 100.0 <= within_pct
    return chosen


def _dollars(rows: ContractRows, sigma: FloatArray, forward: FloatArray) -> FloatArray:
    """Return dollars of delta per 1 % move and share; the yield is what the forward implies."""
    from hpi_bt.options.black_scholes import curvatures  # compiled: not at each start

    chain, tau = rows.chain, rows.tau_years
    alive = tau > 0.0
    years = np.where(alive, tau, 1.0)
    dividend = rows.rate - np.log(forward / rows.spot) / years
    gamma = curvatures(
        rows.spot,
        chain.strike,
        tau,
        np.where(alive, sigma, 1.0),
        chain.right.astype(np.float64),
        rate=rows.rate,
        dividend=np.where(alive, dividend, 0.0),
    ).gamma
    return gamma * rows.spot**2 * 0.01


def _shares(what: str, amount: FloatArray, origin: IntArray, names: tuple[str, ...]) -> str:
    """Return in words where the vols come from that weigh an amount."""
    total = float(amount.sum())
    if not total > 0.0:
        return f"gamma: there is no {what}"
    parts = np.bincount(origin, amount, minlength=len(names)) / total
    words = [
        f"{name} for {f'{100 * part:.1f} %' if part >= 0.0005 else 'under 0.1 %'}"
        for name, part in zip(names, parts, strict=True)
        if part
    ]
    lost = " (expired, or counted as 0)" if parts[0] and what == "volume" else ""
    return f"gamma of {what}: {', '.join(words[::-1])}{lost}"


def snapshot_amounts(weights: GammaWeights) -> pd.DataFrame:
    """Return AMOUNTS, SESSION and spot by snapshot, index its moment (UTC).

    Volumes are of the snapshot, NaN where there are some and none of them has a vol. Open interest
    is that of its session's first; NaN, SESSION too, where that has none at all, before its vols
    are known, and where none are.
    """
    chain = weights.rows.chain
    moments, place = np.unique(chain.moment, return_inverse=True)
    sessions, of_row = np.unique(chain.session, return_inverse=True)
    of_moment = np.zeros(len(moments), dtype=np.int64)
    of_moment[place] = of_row
    known = np.nan_to_num(weights.held)
    columns: dict[str, npt.NDArray[Any]] = {}
    for side, name in ((-1, "put"), (1, "call")):
        own = chain.right == side
        amount = weights.volume[own]
        volume = np.bincount(place[own], np.nan_to_num(amount), minlength=len(moments))
        lacking = np.bincount(place[own], np.isnan(amount), minlength=len(moments)) > 0.0
        held = np.bincount(of_row[own], known[own], minlength=len(sessions))
        columns[f"{name}_gamma_volume"] = np.where(lacking & (volume == 0.0), np.nan, volume)
        columns[f"{name}_gamma_oi"] = held[of_moment]
    reported = np.bincount(of_row, weights.first * np.nan_to_num(weights.rows.held)) > 0.0
    lost = np.bincount(of_row, np.isnan(weights.held)) > 0.0
    some = np.bincount(of_row, known) > 0.0
    unknown = (~reported | (lost & ~some))[of_moment] | (moments < weights.known_from[of_moment])
    for name in INTEREST:
        columns[name] = np.where(unknown, np.nan, columns[name])
    columns[SESSION] = np.where(unknown, np.nan, sessions[of_moment])
    first_spot = pd.Series(weights.rows.spot).groupby(place).first()
    columns[SPOT] = first_spot.to_numpy(dtype=np.float64)
    index = pd.DatetimeIndex(moments.astype("M8[ns]"), tz="UTC", name="time")
    return pd.DataFrame(columns, index=index)[[*AMOUNTS, SESSION, SPOT]]


def gamma_by_strike_and_dte(weights: GammaWeights) -> pd.DataFrame:
    """Return AMOUNTS by session, bucket of days to expiry and strike.

    Returns
    -------
    table : DataFrame
        session (date), dte (of BUCKETS), strike (dollars), then dollars of delta per 1 % move:
        volume over the session, open interest at its start; NaN where no vol of it is known.
        Ascending; rows of nothing left out. Summed over strikes and buckets they are the session's
        own.
    """
    chain = weights.rows.chain
    starts = np.array(list(BUCKETS.values()))
    bucket = np.searchsorted(starts, np.maximum(weights.rows.dte, 0), side="right") - 1
    keys = {"session": chain.session - EPOCH, "dte": bucket, "strike": chain.strike}
    _, of_row = np.unique(chain.session, return_inverse=True)
    held = np.where(weights.known_from[of_row] == opening_vols.NEVER, np.nan, weights.held)
    columns = {}
    for side, name in ((-1, "put"), (1, "call")):
        own = chain.right == side
        columns[f"{name}_gamma_volume"] = np.where(own, weights.volume, 0.0)
        columns[f"{name}_gamma_oi"] = np.where(own, held, 0.0)
    table = _sums(pd.DataFrame(keys | columns), list(keys))
    table = table[(table[list(AMOUNTS)] != 0.0).any(axis=1)].reset_index()
    days = table["session"].to_numpy().astype("M8[D]").astype("M8[ms]")
    names = np.array(list(BUCKETS), dtype=object)[table["dte"]]
    return table.assign(session=pd.DatetimeIndex(days), dte=names)


def _sums(table: pd.DataFrame, keys: list[str], *, sort: bool = True) -> pd.DataFrame:
    """Return sums of AMOUNTS by keys; NaN where what is unknown is all there is."""
    names, by = list(AMOUNTS), [table[key] for key in keys]
    sums = table[names].groupby(by, sort=sort).sum()
    lacking = table[names].isna().groupby(by, sort=sort).any()
    return sums.mask(lacking & (sums == 0.0))


def bucket_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return `gamma_by_strike_and_dte` by session and bucket, and the strike with most volume."""
    keys = ["session", "dte"]
    sums = _sums(table, keys, sort=False)
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
