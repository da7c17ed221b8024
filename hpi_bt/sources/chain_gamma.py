"""Implied vols from a contract's own dollar gamma, where a feed gives that and no vol."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError

_ROOT_2PI = math.sqrt(2.0 * math.pi)
_STEPS = 200  # of a bisection; doubles are exhausted long before
_NEAR = 0.05  # of the largest gamma; strikes with less say nothing about the forward
_TRIES = 41  # forwards, so that they lie a twentieth of the reach apart
_IMPOSSIBLE = 0.3  # what a strike without a vol counts for against a smile's roughness


class GammaVols(NamedTuple):
    """Vols found from gammas, each of shape (n,).

    `iv` is a decimal, NaN where there is none; `branch` is +1 where the higher of the two vols
    that give this gamma was taken, -1 for the lower, 0 where they meet or there is none.
    """

    iv: FloatArray
    branch: IntArray


def iv_from_dollar_gamma(
    dollar_gamma: FloatArray,
    contracts: FloatArray,
    strike: FloatArray,
    spot: float,
    tau_years: float,
    *,
    forward: float | None = None,
    multiplier: float = 100.0,
    rate: float = 0.0,
    dividend: float = 0.0,
    gamma_step: float = 0.0,
) -> GammaVols:
    """Return the vols whose gamma, times contracts, is the dollar gamma given.

    Parameters
    ----------
    dollar_gamma : ndarray of shape (n,)
        Dollars of delta per 1 % move, contracts x multiplier x gamma x spot^2 x 0.01; the sign is
        a convention of the feed and not used. All of one expiry and one side.
    contracts : ndarray of shape (n,)
        Open contracts; 0 leaves the gamma unknown.
    strike : ndarray of shape (n,)
    spot, tau_years : float
        At the moment of which the gammas are.
    forward : float, optional
        Forward of the expiry; spot e^((rate - dividend) tau) by default.
    gamma_step : float, default=0
        Step to which the feed rounded gamma per share (CBOE: 0.0001). A gamma is rounded back to
        it, and one above the largest possible by no more than half a step is taken as that.

    Returns
    -------
    GammaVols
        NaN where no vol gives that gamma: it is 0, above the largest possible, or unknown.

    Raises
    ------
    InputError
        Lengths differ, or spot or multiplier is not positive.

    Notes
    -----
    With w = sigma sqrt(tau) and x = ln(F/K), gamma is proportional to exp(-(x/w + w/2)^2/2)/w,
    which rises in w up to w^2 = 2 (sqrt(1 + x^2) - 1), about |x|, and falls beyond: two vols give
    each gamma. Near the money |x| is below one standard deviation, so the higher one is right;
    far away the lower. Along a wing the ratio of gamma to the largest possible at that strike
    rises to 1 where |x| is one standard deviation and falls after it; its greatest value is
    where the branch changes. There the vol is taken that is nearer, in logs, to its neighbours'.
    """
    if not len(dollar_gamma) == len(contracts) == len(strike):
        raise InputError("dollar gamma, contracts and strikes must be of one length")
    if not (spot > 0 and multiplier > 0):
        raise InputError(f"spot {spot:g} and multiplier {multiplier:g} must be positive")
    none = GammaVols(np.full(len(strike), np.nan), np.zeros(len(strike), dtype=np.int64))
    if not tau_years > 0:
        return none
    unit = contracts * (multiplier * spot * spot * 0.01)
    gamma = np.full(len(strike), np.nan)
    np.divide(np.abs(dollar_gamma), unit, out=gamma, where=unit > 0)
    if gamma_step > 0:
        gamma = np.round(gamma / gamma_step) * gamma_step
    x = np.log((forward or spot * math.exp((rate - dividend) * tau_years)) / strike)
    height = gamma * spot * _ROOT_2PI * math.exp(dividend * tau_years)  # of exp(-d1^2/2)/w
    at_peak = np.sqrt(2.0 * (np.sqrt(1.0 + x * x) - 1.0))
    largest = np.full(len(x), np.inf)
    np.divide(np.exp(-0.5 * _d1(x, at_peak) ** 2), at_peak, out=largest, where=at_peak > 0)
    slack = 0.5 * gamma_step * spot * _ROOT_2PI
    height = np.where((height > largest) & (height <= largest + slack), largest, height)
    known = (height > 0) & (height <= largest)
    low, high = _solutions(x[known], height[known], at_peak[known])
    branch = none.branch.copy()
    branch[known] = _branches(x[known], (height / largest)[known], low, high)
    width = np.full(len(x), np.nan)
    width[known] = np.where(branch[known] >= 0, high, low)
    return GammaVols(width / math.sqrt(tau_years), branch)


def smoothest_forward(
    dollar_gamma: FloatArray,
    contracts: FloatArray,
    strike: FloatArray,
    spot: float,
    tau_years: float,
    *,
    reach: float,
    multiplier: float = 100.0,
    gamma_step: float = 0.0,
) -> float:
    """Return the forward within `reach` of spot for which the vols of the gammas are smoothest.

    Parameters
    ----------
    dollar_gamma, contracts, strike, spot, tau_years, multiplier, gamma_step
        As for `iv_from_dollar_gamma`; strikes ascending, one side.
    reach : float
        How far, in price units, the forward may lie from spot; best one strike spacing.

    Returns
    -------
    forward : float
        Spot where fewer than 5 strikes near the money have a gamma.

    Notes
    -----
    Next to the strikes that lie one standard deviation away gamma says little about vol and much
    about the forward: 0.01 % beside the feed's own forward makes gammas impossible on one side of
    the money and bends the smile on both. Roughness is the sum of |second differences| of ln vol
    over strikes with more than a twentieth of the largest gamma, and 0.3 for each without a vol.
    """
    near = np.zeros(len(strike), dtype=bool)
    gamma = np.zeros(len(strike))
    np.divide(np.abs(dollar_gamma), contracts, out=gamma, where=contracts > 0)
    if len(gamma):
        near = gamma > _NEAR * gamma.max()
    if near.sum() < 5:
        return spot
    best, least = spot, math.inf
    tries = sorted(np.linspace(-reach, reach, _TRIES), key=abs)  # the nearest wins a tie
    for shift in tries:
        vols = iv_from_dollar_gamma(
            dollar_gamma[near],
            contracts[near],
            strike[near],
            spot,
            tau_years,
            forward=spot + shift,
            multiplier=multiplier,
            gamma_step=gamma_step,
        )
        logs = np.log(vols.iv[np.isfinite(vols.iv)])
        lost = int(near.sum()) - len(logs)
        rough = np.abs(np.diff(logs, 2)).sum() + _IMPOSSIBLE * lost
        if rough < least:
            best, least = spot + float(shift), rough
    return best


def _d1(x: FloatArray, w: FloatArray) -> FloatArray:
    out = np.zeros_like(x)  # x = 0 at w = 0
    np.divide(x, w, out=out, where=w > 0)
    return out + 0.5 * w


@njit(cache=True)
def _log_height(x: float, w: float) -> float:
    d1 = x / w + 0.5 * w
    return -0.5 * d1 * d1 - math.log(w)


@njit(cache=True)
def _bisected(x: float, goal: float, rising: float, falling: float) -> float:
    """Return w between two points, the height below `goal` at the first, not at the second."""
    for _ in range(_STEPS):
        middle = 0.5 * (rising + falling)
        if middle in (rising, falling):
            break
        if _log_height(x, middle) < goal:
            rising = middle
        else:
            falling = middle
    return falling


@njit(cache=True)
def _solutions(
    x: FloatArray, height: FloatArray, at_peak: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return both w = sigma sqrt(tau) with that height; the lower is NaN at the money."""
    low, high = np.full(len(x), np.nan), np.empty(len(x))
    for i in range(len(x)):
        goal, peak = math.log(height[i]), at_peak[i]
        beyond = max(peak, 1.0 / height[i])  # exp(-d1^2/2)/w <= 1/w
        while _log_height(x[i], beyond) >= goal:
            beyond *= 2.0
        if peak > 0.0 and _log_height(x[i], peak) <= goal:
            low[i] = high[i] = peak
            continue
        high[i] = _bisected(x[i], goal, beyond, max(peak, 1e-300))
        if peak > 0.0:
            below = 0.5 * peak
            while _log_height(x[i], below) >= goal:
                below *= 0.5
            low[i] = _bisected(x[i], goal, below, peak)
    return low, high


def _branches(x: FloatArray, ratio: FloatArray, low: FloatArray, high: FloatArray) -> IntArray:
    """Return +1 for the higher solution, -1 for the lower, 0 where they meet; shape (n,)."""
    branch = np.ones(len(x), dtype=np.int64)
    turns: list[int] = []
    for wing in (x >= 0, x < 0):
        if wing.any():
            turn = int(np.argmax(np.where(wing, ratio, -1.0)))
            branch[wing & (np.abs(x) > abs(x[turn]))] = -1
            turns.append(turn)
    settled = np.ones(len(x), dtype=bool)
    settled[turns] = False
    for turn in sorted(turns, key=lambda i: abs(x[i])):
        others = np.flatnonzero(settled)
        settled[turn] = True
        if np.isnan(low[turn]) or not len(others):
            continue
        near = others[np.argsort(np.abs(x[others] - x[turn]), kind="stable")[:2]]
        middle = np.log(np.where(branch[near] > 0, high[near], low[near])).mean()
        gaps = np.abs(np.log([low[turn], high[turn]]) - middle)
        branch[turn] = -1 if gaps[0] < gaps[1] else 1
    branch[low == high] = 0
    return branch
