"""How sure a Sharpe ratio is: probabilistic and deflated Sharpe, track record (definitions 9).

Sharpe ratios are per observation, not annualised; kurtosis is not excess (3 for a normal). A NaN
Sharpe ratio or moment (not known, as for a run that never traded) gives NaN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError


class SharpeMoments(NamedTuple):
    """What the Sharpe tests need to know of a series of returns.

    Attributes
    ----------
    sharpe : float
        Mean over standard deviation (ddof 1), per observation.
    skew, kurtosis : float
        Third and fourth standardised population moments (ddof 0, no bias correction), as in
        Bailey and Lopez de Prado; kurtosis is not excess.
    n : int
        Number of returns.
    """

    sharpe: float
    skew: float
    kurtosis: float
    n: int


def sharpe_moments(returns: npt.ArrayLike) -> SharpeMoments:
    """Return the Sharpe ratio of the returns with the moments that its tests need.

    Parameters
    ----------
    returns : array of shape (n_periods,)
        Simple or log returns, decimals, at least two.

    Returns
    -------
    moments : SharpeMoments
        Constant returns have no spread: NaN in all but `n`.

    Raises
    ------
    InputError
        Not one-dimensional, fewer than two returns, or one of them not finite.
    """
    r = np.asarray(returns, dtype=np.float64)
    if r.ndim != 1 or r.size < 2:
        raise InputError(f"returns: shape {r.shape}; give a series of at least 2 returns")
    refuse_unknown(r)
    if r.max() == r.min():
        return SharpeMoments(math.nan, math.nan, math.nan, r.size)
    r = np.ldexp(r, -exponents(r))
    from_mean = r - r.mean()
    z = from_mean / math.sqrt(np.mean(from_mean * from_mean))
    return SharpeMoments(
        sharpe=float(r.mean() / r.std(ddof=1)),
        skew=float(np.mean(z**3)),
        kurtosis=float(np.mean(z**4)),
        n=r.size,
    )


def probabilistic_sharpe(
    sharpe: float, n: float, *, skew: float = 0.0, kurtosis: float = 3.0, benchmark: float = 0.0
) -> float:
    """Return the probability that the true Sharpe ratio exceeds `benchmark`.

    Parameters
    ----------
    sharpe, benchmark : float
        Observed and compared ratio, per observation.
    n : float
        Number of observations, >= 2.
    skew, kurtosis : float, default=0.0, 3.0
        Of the returns.

    Returns
    -------
    probability : float
        In [0, 1].

    Raises
    ------
    InputError
        n < 2, an infinite ratio, or moments that leave the ratio no variance.

    Notes
    -----
    Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - skew SR + (kurtosis - 1)/4 SR^2)).
    """
    if not 2 <= n < math.inf:
        raise InputError(f"n: {n} observations; a Sharpe ratio needs at least 2, and finitely many")
    variance = _variance(sharpe, skew, kurtosis)
    return float(ndtr((sharpe - benchmark) * math.sqrt((n - 1) / variance)))


def expected_max_sharpe(trials: float, trials_variance: float) -> float:
    """Return the Sharpe ratio that the best of so many skill-less trials is expected to show.

    Parameters
    ----------
    trials : float
        Number of independent trials N, >= 1; need not be whole.
    trials_variance : float
        Variance V of the trials' Sharpe ratios (per observation, squared), >= 0.

    Returns
    -------
    threshold : float
        Per observation, >= 0. One trial is no choice: 0, whatever its variance (NaN included).

    Raises
    ------
    InputError
        trials < 1, or a variance that is negative or infinite.

    Notes
    -----
    sqrt(V) ((1 - g) Z(1 - 1/N) + g Z(1 - 1/(N e))), g Euler's constant; the formula dips below 0
    for N under about 1.3, where 0 is returned.
    """
    if not 1 <= trials < math.inf:
        raise InputError(f"trials: {trials}; give the number of trials made, at least 1")
    if trials_variance < 0 or math.isinf(trials_variance):
        raise InputError(
            f"trials_variance: {trials_variance}; give the variance of the trials' Sharpe ratios, "
            "finite and not negative"
        )
    if trials == 1:
        return 0.0
    # Z(1 - p) = -Z(p), which keeps its digits where p is small
    first, second = -ndtri(1 / trials), -ndtri(1 / (trials * math.e))
    expected = (1 - np.euler_gamma) * first + np.euler_gamma * second
    return math.sqrt(trials_variance) * max(float(expected), 0.0)


def deflated_sharpe(
    sharpe: float,
    n: float,
    trials: float,
    trials_variance: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Return the probability that the best of several trials has a true Sharpe ratio above luck.

    Parameters
    ----------
    sharpe : float
        Ratio of the chosen trial, per observation.
    n : float
        Its number of observations, >= 2.
    trials, trials_variance : float
        Number of trials tried and variance of their Sharpe ratios: see `expected_max_sharpe`.
    skew, kurtosis : float, default=0.0, 3.0
        Of the chosen trial's returns.

    Returns
    -------
    probability : float
        In [0, 1]: `probabilistic_sharpe` against `expected_max_sharpe`.

    Raises
    ------
    InputError
        As those two do.
    """
    luck = expected_max_sharpe(trials, trials_variance)
    return probabilistic_sharpe(sharpe, n, skew=skew, kurtosis=kurtosis, benchmark=luck)


def min_track_record_length(
    sharpe: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    confidence: float = 0.95,
) -> float:
    """Return how many observations make it `confidence` sure that the ratio beats `benchmark`.

    Parameters
    ----------
    sharpe, benchmark : float
        Observed and compared ratio, per observation.
    skew, kurtosis : float, default=0.0, 3.0
        Of the returns.
    confidence : float, default=0.95
        Wanted `probabilistic_sharpe`, above 0.5 and below 1.

    Returns
    -------
    length : float
        Observations, not rounded; infinite where the ratio is not above `benchmark`.

    Raises
    ------
    InputError
        confidence outside (0.5, 1), an infinite ratio, or moments that leave it no variance.

    Notes
    -----
    1 + (1 - skew SR + (kurtosis - 1)/4 SR^2) (Z(confidence)/(SR - SR*))^2.
    """
    if not 0.5 < confidence < 1:
        raise InputError(f"confidence: {confidence}; give a probability above 0.5 and below 1")
    variance = _variance(sharpe, skew, kurtosis)
    if sharpe <= benchmark:
        return math.inf
    ratio = float(ndtri(confidence)) / (sharpe - benchmark)
    return 1 + variance * (ratio * ratio)


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """Return n - 1 times the estimated variance of a Sharpe ratio; NaN if an input is NaN."""
    variance = 1 - skew * sharpe + (kurtosis - 1) / 4 * (sharpe * sharpe)
    if math.isinf(sharpe) or variance <= 0 or math.isinf(variance):
        raise InputError(
            f"sharpe {sharpe}, skew {skew}, kurtosis {kurtosis}: the ratio's variance would be "
            f"{variance}; give finite moments of one sample, kurtosis (not excess) > 1 + skew^2"
        )
    return variance


def refuse_unknown(r: FloatArray) -> None:
    """Raise InputError, naming the place, where a return is not finite."""
    if not np.isfinite(r).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(r))[0])
        where = f"period {at[0]}" + (f" of trial {at[1]}" if len(at) > 1 else "")
        raise InputError(f"returns: {where} is {r[at]}; give a finite return for each period")


def exponents(r: FloatArray) -> npt.NDArray[np.int32]:
    """Return per column the power of 2 that scales its largest size to [0.5, 1).

    Squares then cannot overflow, the scaling is exact, and a Sharpe ratio does not notice it.
    """
    exponents: npt.NDArray[np.int32] = np.frexp(np.maximum(r.max(axis=0), -r.min(axis=0)))[1]
    return exponents
