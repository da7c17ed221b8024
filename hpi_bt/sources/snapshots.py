"""Snapshots of an option chain as arrays, and what they say: price, flow, opening interest."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.sources.hours import bar_closes, counted, local_stamps, session_bounds

_PARITY_STRIKES = 5
_LATE_MINUTES = 15.0
_MINUTE = 60 * 10**9  # nanoseconds


class SnapshotChain(NamedTuple):
    """Rows of snapshots, oldest first; each (n_rows,). Moments are UTC ns, a call is +1.

    `expiry` is the rank of the expiry, `expires` its date in days since 1970 (-1 where the file
    has none); `iv` is a decimal, NaN where there is none.
    """

    moment: IntArray
    session: IntArray
    contract: IntArray
    expiry: IntArray
    expires: IntArray
    strike: FloatArray
    right: IntArray
    volume: FloatArray
    open_interest: FloatArray
    spot: FloatArray
    last: FloatArray
    iv: FloatArray

    def where(self, keep: BoolArray | IntArray) -> SnapshotChain:
        """Return these rows."""
        return SnapshotChain(*(cast(Any, column[keep]) for column in self))


class PricedSnapshots(NamedTuple):
    """Rows after each session's open in snapshots with a price, and what they say.

    `price` is the underlying's and `flow` the volume that each row adds to its contract's
    session, in the file's units; each of shape (n_rows,).
    """

    chain: SnapshotChain
    price: FloatArray
    flow: FloatArray
    notes: tuple[str, ...]
    symbol: str = ""


def parity_forward(chain: SnapshotChain, place: IntArray, n: int) -> FloatArray:
    """Return the median of K + C - P over the strikes nearest the money, shape (n_snapshots,).

    Of the nearest expiry; undiscounted. Nearest are the five with the smallest |C - P|.
    """
    frame = pd.DataFrame(
        {
            "moment": place,
            "expiry": chain.expiry,
            "strike": chain.strike,
            "right": chain.right,
            "last": chain.last,
        }
    )
    frame = frame[frame["last"].notna()]
    keys = ["moment", "expiry", "strike"]
    call = frame[frame["right"] > 0].drop_duplicates(keys).drop(columns="right")
    put = frame[frame["right"] < 0].drop_duplicates(keys).drop(columns="right")
    both = call.merge(put, on=keys, suffixes=("_call", "_put"))
    both = both[both["expiry"] == both.groupby("moment")["expiry"].transform("min")]
    both = both.assign(gap=both["last_call"] - both["last_put"])
    both = both.assign(size=both["gap"].abs(), forward=both["strike"] + both["gap"])
    near = both.sort_values(["moment", "size"], kind="stable").groupby("moment")
    forward = near.head(_PARITY_STRIKES).groupby("moment")["forward"].median()
    return forward.reindex(range(n)).to_numpy(dtype=np.float64)


def increments(chain: SnapshotChain, notes: list[str]) -> FloatArray:
    """Return what each row adds to its contract's running maximum of the session, (n_rows,)."""
    order = np.lexsort((chain.moment, chain.contract, chain.session))
    session, contract = chain.session[order], chain.contract[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (session[1:] != session[:-1]) | (contract[1:] != contract[:-1])
    group = np.cumsum(fresh)
    seen = pd.Series(chain.volume[order]).groupby(group).ffill().fillna(0.0).clip(lower=0.0)
    volume = seen.to_numpy()
    highest = seen.groupby(group).cummax().to_numpy()
    previous = np.where(fresh, 0.0, np.roll(highest, 1))
    back = int((~fresh & (volume < np.roll(volume, 1))).sum())
    if back:
        steps = counted(back, "backward step")
        notes.append(f"{steps} of cumulative volume repaired by a running maximum")
    out = np.empty(len(order))
    out[order] = highest - previous
    return out


def note_late(chain: SnapshotChain, calendar: str, notes: list[str]) -> None:
    """Note the sessions whose first snapshot came late."""
    sessions, first = np.unique(chain.session, return_index=True)
    opens, _, _ = session_bounds(sessions, calendar)
    late = int((chain.moment[first] - opens > _LATE_MINUTES * _MINUTE).sum())
    if late:
        verb = "begins" if late == 1 else "begin"
        notes.append(
            f"{counted(late, 'session')} {verb} more than {_LATE_MINUTES:g} minutes after the "
            "open: the first bar holds all volume since the open"
        )


def snapshot_bars(
    chain: SnapshotChain, price: FloatArray, flow: FloatArray, calendar: str, minutes: float
) -> pd.DataFrame:
    """Return prices, volumes and opening interest by bar close, from rows with a price."""
    moments, place = np.unique(chain.moment, return_inverse=True)
    labels = np.asarray(bar_closes(local_stamps(moments, calendar), calendar, minutes).asi8)
    rows = pd.DataFrame(
        {
            "price": price,
            "put_volume": np.where(chain.right < 0, flow, 0.0),
            "call_volume": np.where(chain.right > 0, flow, 0.0),
            "session": chain.session,
        }
    ).groupby(labels[place])
    price_of = rows["price"]
    frame = pd.DataFrame(
        {
            "open": price_of.first(),
            "high": price_of.max(),
            "low": price_of.min(),
            "close": price_of.last(),
        }
    )
    frame[["put_volume", "call_volume"]] = rows[["put_volume", "call_volume"]].sum()
    frame["volume"] = frame["put_volume"] + frame["call_volume"]
    opening = _opening_interest(chain).reindex(rows["session"].first())
    frame[["put_oi", "call_oi"]] = opening.to_numpy()
    frame.index = local_stamps(frame.index.to_numpy(dtype=np.int64), calendar)
    names = ["open", "high", "low", "close", "volume", "put_volume", "call_volume"]
    return frame[[*names, "put_oi", "call_oi"]]


def _opening_interest(chain: SnapshotChain) -> pd.DataFrame:
    """Return put_oi and call_oi of each session's first snapshot; NaN where it has none."""
    sessions, first = np.unique(chain.session, return_index=True)
    rows = chain.moment == chain.moment[first][np.searchsorted(sessions, chain.session)]
    session, right, interest = chain.session[rows], chain.right[rows], chain.open_interest[rows]
    out = pd.DataFrame(index=sessions, columns=["put_oi", "call_oi"], dtype="float64")
    for column, sign in (("put_oi", -1), ("call_oi", 1)):
        side = pd.Series(interest[right == sign]).groupby(session[right == sign])
        out[column] = side.sum(min_count=1).reindex(sessions)
    return out
