"""The charm integral: how far the dealers' delta drifts as time passes (definitions 6)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.checks import check_chain
from hpi_bt.options.columns import checked_moment
from hpi_bt.options.contract_vols import DEFAULT_VOLS
from hpi_bt.options.curve_kernels import Book, contract_drift, fill_drift
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.options.exposure import Exposures, exposures
from hpi_bt.options.impulse import book_of
from hpi_bt.options.threads import in_chunks

METHODS = ("exact", "scaled")
YEAR_MINUTES = 365.0 * 24.0 * 60.0
MOST_BUCKETS = 100_000
WORTH_A_THREAD = 200_000  # revalued contracts


@dataclass(frozen=True, eq=False)
class CharmIntegral:
    """Drift of the dealers' delta from now to a horizon, spot and vols standing still.

    Attributes
    ----------
    buckets : DataFrame, one row per bucket of time
        start, end (moments), minutes_left (to the horizon, at the bucket's start), shares,
        dollars (shares x spot), cumulative_shares, cumulative_dollars.
    by_strike : DataFrame, one row per strike with a position
        strike, shares, dollars: contributions to the total.
    shares, dollars : float
        The whole drift.
    direction : {"buy", "sell", "none"}
        What dealers must do with the underlying meanwhile: the opposite of the drift.
    horizon : Timestamp
    minutes : float
        From now to the horizon.
    method : {"exact", "scaled"}
    flags : tuple of str
        What a reader should know, one plain sentence each.
    """

    buckets: pd.DataFrame
    by_strike: pd.DataFrame
    shares: float
    dollars: float
    direction: str
    horizon: pd.Timestamp
    minutes: float
    method: str
    flags: tuple[str, ...] = ()


def charm_integral(
    chain: OptionChain,
    *,
    method: str = "exact",
    time_step_minutes: float = 15.0,
    horizon: pd.Timestamp | datetime | str | None = None,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    exposed: Exposures | None = None,
) -> CharmIntegral:
    """Return the drift of the dealers' delta from the chain's moment to a horizon.

    Parameters
    ----------
    chain : OptionChain
    method : {"exact", "scaled"}
        "exact" revalues every contract at the edges of each bucket. "scaled" lets today's charm
        grow as 1/sqrt(time left): 2 C sqrt(T) (sqrt(T_a) - sqrt(T_b)) a bucket.
    time_step_minutes : float, default=15
        Length of a bucket, from now on; the last one is short.
    horizon : moment, optional
        By default the nearest expiry of a living contract. Later contracts are revalued over the
        same time.
    positioning, mode, vols, exposed
        As in `impulse_curve`.

    Returns
    -------
    drift : CharmIntegral
        Buckets of "exact" sum to the change of the whole.

    Raises
    ------
    InputError
        An unknown method, a step that is no positive number or makes more than 100,000 buckets,
        or a horizon that is not after the chain's moment; or as `exposures`.
    """
    check_chain(chain)
    if method not in METHODS:
        raise InputError(f"method: {method!r}{did_you_mean(method, METHODS)}; give one of them")
    found = exposed or exposures(chain, positioning=positioning, mode=mode, vols=vols)
    until = chain.expiry[chain.is_live].min() if horizon is None else _later(chain, horizon)
    elapsed = _edges(chain, until, time_step_minutes, exact_end=horizon is None)
    book = book_of(chain, found)
    if method == "exact":
        shares = _exact(chain, book, elapsed)
        each = contract_drift(chain.spot, elapsed[-1], book, chain.rate, chain.dividend)
    else:
        left = elapsed[-1]
        falls = -np.diff(np.sqrt(left - elapsed))
        shares = 2.0 * found.charm_shares * math.sqrt(left) * falls
        held = (found.positions != 0.0) & np.isfinite(found.sigma)
        each = book.shares * found.charm[held] * (2.0 * left)
    total = float(shares.sum())
    side = "none" if total == 0.0 else "buy" if total < 0.0 else "sell"
    return CharmIntegral(
        buckets=_buckets(chain, elapsed, shares),
        by_strike=_by_strike(book, each, chain.spot),
        shares=total,
        dollars=total * chain.spot,
        direction=side,
        horizon=until,
        minutes=float(elapsed[-1] * YEAR_MINUTES),
        method=method,
        flags=found.flags,
    )


def _later(chain: OptionChain, horizon: pd.Timestamp | datetime | str) -> pd.Timestamp:
    """Return a given horizon as a moment after the chain's."""
    moment = checked_moment(horizon).tz_convert(chain.zone)
    if not moment > chain.as_of:
        raise InputError(f"horizon: {moment} is not after the chain's {chain.as_of}; give a later")
    return moment


def _edges(
    chain: OptionChain, until: pd.Timestamp, step_minutes: float, *, exact_end: bool
) -> FloatArray:
    """Return the edges of the buckets in years from now, from 0 to the horizon.

    `exact_end`: the horizon is the nearest expiry, whose time left then ends at 0 exactly.
    """
    if not 0.0 < step_minutes < math.inf:
        raise InputError(f"time_step_minutes: {step_minutes}; give minutes above 0")
    end = (until - chain.as_of) / pd.Timedelta(days=365)
    if exact_end:
        end = float(chain.tau_years[chain.is_live].min())
    step = step_minutes / YEAR_MINUTES
    if end / step > MOST_BUCKETS:
        raise InputError(
            f"time_step_minutes: {step_minutes} makes {end / step:,.0f} buckets until {until}, "
            f"{MOST_BUCKETS:,} are allowed; give a longer step"
        )
    count = max(math.ceil(end / step - 1e-9), 1)
    return np.append(np.arange(count) * step, end)


def _exact(chain: OptionChain, book: Book, elapsed: FloatArray) -> FloatArray:
    """Return the book's drift in each bucket, in shares."""
    shares = np.empty(len(elapsed) - 1)

    def fill(start: int, stop: int) -> None:
        fill_drift(start, stop, chain.spot, elapsed, book, chain.rate, chain.dividend, shares)

    in_chunks(fill, len(shares), least=1 + WORTH_A_THREAD // (1 + len(book.shares)))
    return shares


def _buckets(chain: OptionChain, elapsed: FloatArray, shares: FloatArray) -> pd.DataFrame:
    """Return the table of buckets."""
    minutes = elapsed * YEAR_MINUTES
    after = pd.to_timedelta(np.rint(minutes * 60e9).astype(np.int64), unit="ns")
    moments = chain.as_of.tz_convert(chain.zone).as_unit("ns") + after
    running = np.cumsum(shares)
    return pd.DataFrame(
        {
            "start": moments[:-1],
            "end": moments[1:],
            "minutes_left": minutes[-1] - minutes[:-1],
            "shares": shares,
            "dollars": shares * chain.spot,
            "cumulative_shares": running,
            "cumulative_dollars": running * chain.spot,
        }
    )


def _by_strike(book: Book, each: FloatArray, spot: float) -> pd.DataFrame:
    """Return the contributions summed over the contracts of each strike."""
    strikes, place = np.unique(book.strike, return_inverse=True)
    shares = np.bincount(place, each, minlength=len(strikes))
    return pd.DataFrame({"strike": strikes, "shares": shares, "dollars": shares * spot})
