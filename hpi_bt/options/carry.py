"""The rate and yield that a chain's own quotes imply, for chains that come without them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.parity import Forward, forwards

FROM, TO = 0.02, 2.0  # years to expiry between which forwards tell the carry
LEAST = 3  # expiries
MOST = 1.0  # carry per year from which on it is noise of the quotes
#: Share of spot by which parity may disagree with it unseen, and a yield per year that may be
#: behind more.
APART, CARRIED = 5e-4, 0.05


class Carry(NamedTuple):
    """Continuous rate and yield, decimals per year.

    Attributes
    ----------
    rate, dividend : float
    note : str
        Their values and where they come from.
    """

    rate: float
    dividend: float
    note: str


def carry_of(
    chain: OptionChain,
    rate: float | None = None,
    dividend: float | None = None,
    *,
    parity: Mapping[pd.Timestamp, Forward] | None = None,
) -> Carry:
    """Return rate and yield of a chain: what is given of them, the rest from its quotes.

    Parameters
    ----------
    chain : OptionChain
        With all its expiries, which tell the carry together.
    rate, dividend : float, optional
        Continuous, per year; one alone makes the other fit the forwards.
    parity : mapping of Forward, optional
        As `forwards` gives it, which is asked by default.

    Returns
    -------
    carry : Carry
        For `chain.with_(rate=carry.rate, dividend=carry.dividend)`.
    """
    if rate is not None and dividend is not None:
        given = f"Rate {_pct(rate)} and yield {_pct(dividend)}, as given."
        return Carry(rate, dividend, given)
    found = _found(chain, parity)
    if rate is None and dividend is None:
        return _worded(_plausible(found, chain))
    held = found.rate - found.dividend
    if rate is not None:
        other = chain.dividend if found.assumed else rate - held
        return Carry(rate, other, f"Rate {_pct(rate)} as given, yield {_pct(other)}{found.source}.")
    assert dividend is not None
    other = found.rate if found.assumed else dividend + held
    how = f"Rate {_pct(other)}{found.source}, yield {_pct(dividend)} as given."
    return Carry(other, dividend, how)


def implied_carry(
    chain: OptionChain, *, parity: Mapping[pd.Timestamp, Forward] | None = None
) -> Carry:
    """Return the rate and yield that put-call parity implies, the chain's own where it is silent.

    Parameters
    ----------
    chain : OptionChain
    parity : mapping of Forward, optional
        As `forwards` gives it, which is asked by default.

    Returns
    -------
    carry : Carry
        For `chain.with_(rate=carry.rate, dividend=carry.dividend)`.

    Notes
    -----
    The rate is the median over expiries whose quotes contradict the chain's rate (see
    `forwards`), if these are more than half of the expiries a week to two years away that
    have pairs. Rate minus yield is the slope of ln(forward) over years (Theil-Sen), so that a
    spot of another moment than the quotes does not matter, where at least 3 such expiries have
    pairs. One or two tell it as the median of ln(forward/spot)/years, which rests on spot: the
    chain's yield stands if that makes a yield beyond 5 % a year (and 0.05 % of spot), since then
    it is spot that is wrong. A rate minus yield or a yield of 100 % a year or more is noise.
    With American options the rate is too low, since early exercise bends parity.
    """
    return _worded(_found(chain, parity))


class _Found(NamedTuple):
    """Rate and yield, whether quotes tell the rate, and from where the yield is.

    `assumed` is why forwards do not tell the yield, "" where they do, `few` which ones do where
    it rests on spot as well.
    """

    rate: float
    dividend: float
    rate_from: str
    assumed: str = ""
    few: str = ""

    @property
    def source(self) -> str:
        """Where the yield, or what is not given, comes from."""
        if self.assumed:
            return f", assumed: {self.assumed}"
        few = f" of {self.few}, resting on spot" if self.few else ""
        return f" from the forwards{few}"


def _found(chain: OptionChain, parity: Mapping[pd.Timestamp, Forward] | None) -> _Found:
    """Return what the forwards of a chain say, its own rate and yield where they are silent."""
    ahead = forwards(chain) if parity is None else parity
    year = pd.Timedelta(days=365)
    pairs = [((moment - chain.as_of) / year, one) for moment, one in ahead.items() if one.n_pairs]
    pairs = [(tau, one) for tau, one in pairs if FROM <= tau <= TO]
    if not pairs:
        why = "no expiry between a week and two years away has quotes of calls and puts"
        return _Found(chain.rate, chain.dividend, "", assumed=why)
    tau = np.array([t for t, _ in pairs])
    level = np.log([one.forward for _, one in pairs])
    rates = np.array([-math.log(one.discount) / t for t, one in pairs])
    told = np.abs(rates - chain.rate) > 1e-6
    rate, rate_from = chain.rate, " from the chain, quoted parity agreeing"
    if 2 * np.count_nonzero(told) > len(told):
        rate, rate_from = float(np.median(rates[told])), " from quoted parity"
    if len(pairs) < LEAST:
        return _on_spot(chain, _Found(rate, chain.dividend, rate_from), tau, level)
    slope = _slope(tau, level)
    if max(abs(slope), abs(rate - slope)) >= MOST:
        why = f"the forwards rise by {100 * slope:.0f} % a year, which is noise"
        return _Found(chain.rate, chain.dividend, "", assumed=why)
    return _Found(rate, rate - slope, rate_from)


def _on_spot(chain: OptionChain, found: _Found, tau: FloatArray, level: FloatArray) -> _Found:
    """Return the carry between spot and the forwards of one or two expiries."""
    few = "a single expiry" if len(tau) == 1 else f"{len(tau)} expiries"
    dividend = found.rate - float(np.median((level - math.log(chain.spot)) / tau))
    if abs(dividend - chain.dividend) > CARRIED + APART / float(tau.min()):
        why = f"the forwards of {few} would make it {_pct(dividend)}, beyond what is likely"
        return found._replace(assumed=why)
    return found._replace(dividend=dividend, few=few)


def _plausible(found: _Found, chain: OptionChain) -> _Found:
    """Return what was found, a negative yield read as a rate where quotes tell no rate.

    Early exercise hides the rate from parity; forwards tell the difference of the two alone.
    """
    if found.dividend >= 0.0 or found.rate != chain.rate or found.assumed:
        return found
    apart = "quotes do not tell them apart"
    return _Found(found.rate - found.dividend, 0.0, found.source, assumed=apart)


def _worded(found: _Found) -> Carry:
    """Return rate and yield with the sentence that says where they come from."""
    note = f"Rate {_pct(found.rate)}{found.rate_from}, yield {_pct(found.dividend)}{found.source}."
    return Carry(found.rate, found.dividend, note)


def _pct(share: float) -> str:
    return f"{100 * share:.2f} %"


def _slope(x: FloatArray, y: FloatArray) -> float:
    """Return the median slope over all pairs of points."""
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
