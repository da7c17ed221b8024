"""The option market of the demo: hedging pressure, put and call volume, the ladder of strikes."""

from __future__ import annotations

import numpy as np

from hpi_bt.arrays import BoolArray, FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.sources.demo_bars import Grid, Streams, ar1

_PUTS, _CALLS = 0.6e6, 0.4e6  # mean contracts of a full session
_PRESSURE_PHI, _PRESSURE_MINUTES = 0.7, 30.0  # memory of the pressure: per session, and in minutes
_PRESSURE_GAIN, _SHARE_NOISE = 0.45, 0.25  # of the put share's log odds
_OPENED, _OPENED_SD, _EXPIRED = 0.2, 0.1, 0.04  # of a session's volume; of open interest
_REACH = 40  # strikes traded on either side of the spot
_LARGEST_LADDER = 10_000_000  # strikes x sessions
_NEAR_SHARE, _FAR, _FAR_GAIN = 0.1, 3.0, 0.9  # of volume; from how many near distances on; log odds
_U_OPTIONS = (3.0, 0.08, 1.5, 0.05)  # density over the session, as `Grid.shape` takes it


def simulate_pressure(grid: Grid, rng: Streams, step: int) -> FloatArray:
    """Return the standardised hedging pressure, shape (n_bars,); positive is put-heavy."""
    level = ar1(rng["pressure_day"].standard_normal(len(grid.dates)), _PRESSURE_PHI)
    noise = rng["pressure_bar"].standard_normal(grid.session.size)
    inside = grid.within(noise, float(np.exp(-step / _PRESSURE_MINUTES)))
    return np.asarray((level[grid.session] + inside) * np.sqrt(0.5))


def option_volumes(
    grid: Grid, rng: Streams, pressure: FloatArray, step: int
) -> tuple[FloatArray, FloatArray]:
    """Return whole put and call contracts a bar; their split follows the pressure."""
    day = 0.2 * ar1(rng["options_day"].standard_normal(len(grid.dates)), 0.8)
    sd = 0.4 / np.sqrt(step)
    bar = sd * rng["options_bar"].standard_normal(grid.session.size)
    activity = np.exp(day[grid.session] + bar - (0.2**2 + sd**2) / 2)
    total = np.rint((_PUTS + _CALLS) * grid.shape(*_U_OPTIONS) * activity)
    noise = _SHARE_NOISE * rng["put_share"].standard_normal(grid.session.size)
    odds = np.exp(_PRESSURE_GAIN * pressure + noise) * _PUTS / _CALLS
    put = np.rint(total * odds / (1 + odds))
    return put, total - put


def far_volumes(
    grid: Grid, rng: Streams, put: FloatArray, call: FloatArray, step: int
) -> tuple[FloatArray, FloatArray]:
    """Return put and call contracts a bar far from the money, of the volumes given.

    Nine tenths of the contracts, whose put share follows a latent of its own that has the memory of
    the hedging pressure and is independent of it.
    """
    level = ar1(rng["far_day"].standard_normal(len(grid.dates)), _PRESSURE_PHI)
    noise = rng["far_bar"].standard_normal(grid.session.size)
    inside = grid.within(noise, float(np.exp(-step / _PRESSURE_MINUTES)))
    latent = (level[grid.session] + inside) * np.sqrt(0.5)
    total = put + call - near_part(put) - near_part(call)
    odds = np.exp(_FAR_GAIN * latent) * _PUTS / _CALLS
    far_put = np.rint(total * odds / (1 + odds))
    return far_put, total - far_put


def near_part(volume: FloatArray) -> FloatArray:
    """Return the whole contracts of a bar that trade near the money; shape (n_bars,)."""
    return np.rint(_NEAR_SHARE * volume)


def _split(total: IntArray, weights: FloatArray) -> IntArray:
    """Return whole numbers along the last axis, in proportion to `weights`, that sum to `total`."""
    running = np.cumsum(weights, axis=-1)
    running /= np.where(running[..., -1:] > 0, running[..., -1:], 1.0)
    parts = np.diff(np.rint(total[..., None] * running), axis=-1, prepend=0.0)
    return parts.astype(np.int64)


def _traded(
    totals: FloatArray,
    far: FloatArray | None,
    weights: FloatArray,
    close: BoolArray,
    beyond: BoolArray,
) -> IntArray:
    """Return whole contracts by session, side and strike of the window, in proportion to weights.

    `far` of them where `beyond`, the rest where `close`; all of them anywhere without `far`.
    """
    if far is None:
        return _split(totals.astype(np.int64), weights)
    near = _split((totals - far).astype(np.int64), weights * close[:, None])
    return near + _split(far.astype(np.int64), weights * beyond[:, None])


def strike_ladder(
    spot: FloatArray,
    totals: FloatArray,
    price: float,
    rng: Streams,
    *,
    far: FloatArray | None = None,
    near_pct: float = np.inf,
) -> tuple[FloatArray, IntArray, IntArray, BoolArray]:
    """Return strikes, volume and open interest by session, side and strike, and what is near.

    Parameters
    ----------
    spot : ndarray of shape (n_sessions,)
        The session's open.
    totals : ndarray of shape (n_sessions, 2)
        Its puts and calls. The sums over strikes do not depend on `spot`: totals are settled
        first, then shared out.
    far : ndarray of shape (n_sessions, 2), optional
        The part of `totals` that trades beyond three times `near_pct`; the rest trades within it.
    near_pct : float
        Percent of `spot`.

    Returns
    -------
    strikes, volume, open_interest, near : ndarray
        (n_strikes,), twice (n_sessions, 2, n_strikes), and (n_sessions, n_strikes).
    """
    steps = np.array([0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0])
    step = float(steps[max(int(np.searchsorted(steps, price * 0.005, side="right")) - 1, 0)])
    nearest = np.rint(spot / step).astype(np.int64)
    ladder = np.arange(nearest.min() - _REACH, nearest.max() + _REACH + 1)
    days, width = spot.size, 2 * _REACH + 1
    if ladder.size * days > _LARGEST_LADDER:
        raise InputError(
            f"demo: the price runs from {spot.min():.2f} to {spot.max():.2f}, {ladder.size} strikes"
            f" on {days} sessions are too many; use a smaller edge or fewer sessions"
        )
    place = (nearest - ladder[0] - _REACH)[:, None] + np.arange(width)
    index = ladder[place]
    away = (index * step - spot[:, None]) / np.maximum(0.03 * spot, 1.5 * step)[:, None]
    off_money = np.array([0.6, -0.4])[:, None]  # puts trade below the spot, calls above
    popular = 1.0 + (index % 5 == 0) + 2.0 * (index % 10 == 0)
    taste = np.exp(0.4 * rng["strikes"].standard_normal((days, 2, width)))
    weights = np.exp(-np.abs(away[:, None] + off_money)) * popular[:, None] * taste
    weights *= (index > 0)[:, None]
    distance = np.abs(index * step - spot[:, None]) / spot[:, None] * 100.0
    close = (distance <= near_pct) | (index == np.maximum(nearest, 1)[:, None])
    beyond = (distance >= _FAR * near_pct) & ~close
    traded = _traded(totals, far, weights, close, beyond)
    opened = np.clip(_OPENED + _OPENED_SD * rng["opened"].standard_normal((days, 2)), -0.4, 0.6)
    volume = np.zeros((days, 2, ladder.size), dtype=np.int64)
    held = np.zeros_like(volume)
    near = np.zeros((days, ladder.size), dtype=bool)
    np.put_along_axis(near, place, close, axis=1)
    before = np.rint(_OPENED / _EXPIRED * np.array([_PUTS, _CALLS])).astype(np.int64)
    held[0][:, place[0]] = _split(before, np.sqrt(weights[0]))
    for day in range(days):
        volume[day][:, place[day]] = traded[day]
        if day + 1 < days:
            net = np.rint(opened[day] * totals[day]).astype(np.int64)
            held[day + 1] = _carry(held[day], volume[day], net)
    real: BoolArray = ladder > 0
    return ladder[real] * step, volume[:, :, real], held[:, :, real], near[:, real]


def _carry(held: IntArray, volume: IntArray, net: IntArray) -> IntArray:
    """Return the next session's open interest by strike, shape (2, n_strikes).

    `net` (2,) is opened less closed contracts: opened where there was volume, closed where there
    was both volume and open interest; then a fixed share of all expires.
    """
    most = np.minimum(volume, held)
    opens = _split(np.maximum(net, 0), volume.astype(np.float64))
    closes = _split(np.minimum(np.maximum(-net, 0), most.sum(axis=1)), most.astype(np.float64))
    after = held + opens - closes
    expired = np.rint(_EXPIRED * after.sum(axis=1)).astype(np.int64)
    return after - _split(expired, after.astype(np.float64))
