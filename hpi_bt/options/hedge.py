"""Dealers' hedge trades in futures, from a repriced impulse curve (definitions 6)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.options.expiries import clean_symbol
from hpi_bt.options.impulse import ImpulseCurve

#: Dollars per point of each future.
MULTIPLIERS = {"NQ": 20.0, "MNQ": 2.0, "ES": 50.0, "MES": 5.0}
#: The index of each future and of each underlying that follows the same one.
INDEX_OF_FUTURE = {"NQ": "NDX", "MNQ": "NDX", "ES": "SPX", "MES": "SPX"}
INDEX_OF_SYMBOL = {
    **{"SPX": "SPX", "SPXW": "SPX", "SPY": "SPX", "XSP": "SPX"},
    **{"NDX": "NDX", "NDXP": "NDX", "QQQ": "NDX"},
}


def hedge_contracts(
    curve: ImpulseCurve,
    futures: Mapping[str, float],
    *,
    betas: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return what dealers buy (+) or sell (-) as spot moves, at each price of the curve.

    Parameters
    ----------
    curve : ImpulseCurve
        Of method "reprice"; a kernel map is no revalued book.
    futures : mapping of symbol to price
        ES, MES, NQ or MNQ and their prices now, in points.
    betas : mapping of symbol to number, optional
        Return of the future per unit of the underlying's return; needed where the future is on
        another index than the chain's symbol, 1 by default where it is the same.

    Returns
    -------
    table : DataFrame, one row per price
        price; shares (of the underlying, for +$1 of it); per future two columns:
        `ES_per_point` (contracts for +1 point of the future) and `ES_per_dollar` (for +$1 of the
        underlying).

    Raises
    ------
    InputError
        A kernel curve, an unknown future, a price or beta that is no positive number, or a
        missing beta.

    Notes
    -----
    With the multiplier M and the future's price F' = F S'/S, in step with S': shares -H,
    per dollar -H S'/(M F'), per point -H S'^2/(M F'^2). With a beta, -H S'/(M F' beta) and
    -H S'^2/(M F'^2 beta^2), where F' moves by beta times the underlying's return.
    """
    if curve.method != "reprice":
        raise InputError(
            f"curve: method {curve.method!r} maps exposure and is no revalued book; "
            "give one of method 'reprice'"
        )
    table = {"price": curve.price, "shares": -curve.impulse_shares}
    for name, price in futures.items():
        beta = _beta(name, curve.symbol, betas or {})
        if not 0.0 < price < math.inf:
            raise InputError(
                f"{name} at {price}; give its price in points, above 0", field="futures"
            )
        along = price * (curve.price / curve.spot) ** beta
        ratio = curve.price / (along * beta)
        table[f"{name}_per_point"] = -curve.impulse_shares * ratio * ratio / MULTIPLIERS[name]
        table[f"{name}_per_dollar"] = -curve.impulse_shares * ratio / MULTIPLIERS[name]
    return pd.DataFrame(table)


def futures_on(symbol: str, spot: float) -> dict[str, float]:
    """Return the futures on the index that `symbol` is itself, at spot for want of their price."""
    name = clean_symbol(symbol)
    index = INDEX_OF_SYMBOL.get(name, "")
    itself = name in (index, f"{index}W", f"{index}P")
    if not itself:
        return {}  # a fund's price is not in the future's points
    return {future: spot for future, on in INDEX_OF_FUTURE.items() if on == index}


def _beta(name: str, symbol: str, betas: Mapping[str, float]) -> float:
    """Return the future's beta: given, or 1 where it is on the symbol's own index."""
    if name not in MULTIPLIERS:
        raise InputError(
            f"{name!r}{did_you_mean(name, MULTIPLIERS)}; give one of them", field="futures"
        )
    if name in betas:
        beta = float(betas[name])
        if not 0.0 < beta < math.inf:
            raise InputError(f"{name} {beta}; give the future's beta, above 0", field="betas")
        return beta
    if INDEX_OF_SYMBOL.get(clean_symbol(symbol)) != INDEX_OF_FUTURE[name]:
        raise InputError(
            f"none for {name}, which is not on the index of {symbol or 'this chain'}; "
            f"give the return of {name} per unit of the underlying's",
            field="betas",
        )
    return 1.0
