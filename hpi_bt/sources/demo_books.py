"""Option chains with known answers: small books whose exposures are closed formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Literal, NamedTuple, TypeAlias

import pandas as pd

from hpi_bt.errors import InputError
from hpi_bt.options.chain import OptionChain

Book: TypeAlias = Literal["two_strikes", "one_strike", "at_the_money"]
BOOKS = ("two_strikes", "one_strike", "at_the_money")

_MULTIPLIER = 100.0
_AS_OF = pd.Timestamp("2024-03-12 10:00", tz="America/New_York")


class KnownAnswers(NamedTuple):
    """What a book's exposures must be, dealers long calls and short puts.

    Attributes
    ----------
    gamma_shares : float
        Shares per $1 move.
    gex : float
        Dollars of delta per 1 % move.
    zero_gamma : float
        Spot at which the repriced gamma is zero; NaN where it never is.
    charm_shares : float
        Shares per year.
    drift_shares : float
        Change of the book's delta from now to expiry, spot and vol standing still.
    """

    gamma_shares: float
    gex: float
    zero_gamma: float
    charm_shares: float
    drift_shares: float


class DemoBook(NamedTuple):
    """A chain and what must come out of it."""

    chain: OptionChain
    answers: KnownAnswers


class _Held(NamedTuple):
    """A contract: strike, +1 call or -1 put; dealers hold calls long and puts short."""

    strike: float
    right: int


def demo_chain(
    book: Book = "two_strikes",
    *,
    spot: float = 100.0,
    sigma: float = 0.2,
    days: float = 30.0,
    rate: float = 0.0,
    dividend: float = 0.0,
    open_interest: float = 1000.0,
    width: float = 0.05,
) -> DemoBook:
    """Return a small chain of one expiry and flat vol, and its known answers.

    Parameters
    ----------
    book : {"two_strikes", "one_strike", "at_the_money"}
        A put at spot (1 - width) and a call at spot (1 + width) of equal open interest; a call at
        the strike of the greatest possible gamma, where d1 = 0; a call at K = spot.
    spot, sigma, days, rate, dividend
        Dollars, decimal, calendar days to expiry, continuous and per year.
    open_interest : float
        Contracts of 100 shares, of each strike.
    width : float
        Of two_strikes, between 0 and 1.

    Returns
    -------
    made : DemoBook

    Raises
    ------
    InputError
        No such book, or a number that is not positive.

    Notes
    -----
    Gammas of two strikes are equal where d1 of the one is minus d1 of the other, at
    S* = sqrt(K1 K2) exp(-(r - q + sigma^2/2) tau); the put's share of the book is short, so that
    is where its gamma is zero. At the money without carry gex is N m S 0.01 phi(w/2)/w with
    w = sigma sqrt(tau), charm -N m phi(w/2) sigma/(4 sqrt(tau)), the drift N m (1/2 - Phi(w/2)).
    """
    _refuse(book, width, spot=spot, sigma=sigma, days=days, open_interest=open_interest)
    expiry = _AS_OF + timedelta(days=days)
    tau = float((expiry - _AS_OF) / pd.Timedelta(days=365))
    drift = (rate - dividend + 0.5 * sigma * sigma) * tau
    held = {
        "two_strikes": [_Held(spot * (1 - width), -1), _Held(spot * (1 + width), 1)],
        "one_strike": [_Held(spot * math.exp(drift), 1)],
        "at_the_money": [_Held(spot, 1)],
    }[book]
    contracts = pd.DataFrame(
        {
            "expiry": expiry,
            "strike": [one.strike for one in held],
            "right": [float(one.right) for one in held],
            "iv": sigma,
            "volume": 0.0,
            "open_interest": open_interest,
        }
    )
    chain = OptionChain(
        contracts,
        spot,
        _AS_OF,
        rate=rate,
        dividend=dividend,
        multiplier=_MULTIPLIER,
        symbol="DEMO",
        notes=(f"DEMO: {book.replace('_', ' ')} of {open_interest:g} contracts, flat vol.",),
    )
    answers = _answers(held, spot, sigma, tau, rate, dividend, open_interest * _MULTIPLIER)
    if book == "two_strikes":
        between = math.sqrt(held[0].strike * held[1].strike)
        answers = answers._replace(zero_gamma=between * math.exp(-drift))
    return DemoBook(chain, answers)


def _refuse(book: str, width: float, **positive: float) -> None:
    """Refuse what makes no book."""
    if book not in BOOKS:
        raise InputError(f"demo chain: no book {book!r}; give one of {', '.join(BOOKS)}")
    for name, value in positive.items():
        if not 0.0 < value < math.inf:
            raise InputError(f"demo chain: {name} is {value}; give a number above 0")
    if not 0.0 < width < 1.0:
        raise InputError(f"demo chain: width is {width}; give a number between 0 and 1")


def _answers(
    held: Sequence[_Held],
    spot: float,
    sigma: float,
    tau: float,
    rate: float,
    dividend: float,
    shares: float,
) -> KnownAnswers:
    """Return the sums over contracts; a short put and a long call add their deltas' changes."""
    gamma = charm = drift = 0.0
    root = sigma * math.sqrt(tau)
    fade = math.exp(-dividend * tau)
    for strike, right in held:
        d1 = (math.log(spot / strike) + (rate - dividend + 0.5 * sigma * sigma) * tau) / root
        density = math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
        below = 0.5 * math.erfc(-right * d1 / math.sqrt(2.0))  # of a call or put
        sign = right * shares  # calls long, puts short
        gamma += sign * fade * density / (spot * root)
        decay = (rate - dividend) / root - (d1 - root) / (2.0 * tau)
        charm += sign * fade * (right * dividend * below - density * decay)
        payoff = 0.5 if spot == strike else float(right * (spot - strike) > 0.0)
        drift += sign * right * (payoff - fade * below)
    return KnownAnswers(gamma, gamma * spot**2 * 0.01, math.nan, charm, drift)
