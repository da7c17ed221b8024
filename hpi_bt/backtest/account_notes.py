"""What a reader must know of an account: ruin, cash paid in, costs that are not set, limits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.config import Broker
from hpi_bt.errors import Note, Severity
from hpi_bt.orders import Orders


def ruin_notes(
    equity: FloatArray, index: pd.Index, *, closed_out: bool, flows: FloatArray | None = None
) -> list[Note]:
    """Return when an account was ruined, and whether losses or a withdrawal did it; else nothing.

    Parameters
    ----------
    equity : ndarray of shape (n_bars,)
        Account value at each close.
    index : DatetimeIndex of length n_bars
        Bar closes.
    closed_out : bool
        Whether its broker closes the positions of a ruined account and takes no further order.
    flows : ndarray of shape (n_bars,), optional
        Cash that came with each bar, negative where it was taken out.
    """
    ruined = np.flatnonzero(equity <= 0.0)
    if not ruined.size:
        return []
    first = int(ruined[0])
    value, end = (_money(x) for x in (equity[first], equity[-1]))
    taken = 0.0 if flows is None else -float(flows[first])
    withdrawn = equity[first] + taken > 0.0
    cause = f"its value fell to {value}"
    if withdrawn:
        left = _money(equity[first] + taken)
        cause = f"a withdrawal of {_money(taken)} from a value of {left} left {value}"
    if not closed_out:
        counted = "end at the withdrawal" if withdrawn else "count all as lost from then on"
        rest = f"its broker let it trade on, to {end}; returns {counted}"
    elif first == len(equity) - 1:
        rest = "it is the last bar, at whose close what is open is valued"
    else:
        rest = (
            f"what was still open was closed at the next open, no order followed; end value {end}"
        )
        if withdrawn:
            rest += "; returns end at the withdrawal"
        elif equity[-1] > 0.0:
            rest += (
                "; session returns end with this value, so drawdowns computed from them, as in "
                "the tear sheet's tables, are smaller than the full loss"
            )
    text = f"account ruined on {_day(index, first)}: {cause}; {rest}"
    return [Note(Severity.WARNING, "account-ruined", text)]


def _day(index: pd.Index, bar: int) -> str:
    """Return the date of a bar, and its time where a day has several."""
    stamp = pd.DatetimeIndex(index)[bar]
    days = pd.DatetimeIndex(index).normalize()
    return f"{stamp:%Y-%m-%d}" if days.is_unique else f"{stamp:%Y-%m-%d %H:%M}"


def _money(value: float) -> str:
    return f"{value:,.2f}".replace("-", "\N{MINUS SIGN}")


def paid_in_notes(flows: FloatArray | None) -> list[Note]:
    """Return how much cash a strategy paid in and took out, given by bar; it is no return."""
    if flows is None or not flows.any():
        return []
    paid, taken = float(flows[flows > 0.0].sum()), float(-flows[flows < 0.0].sum())
    parts = [f"{_money(paid)} was paid in"] if paid else []
    parts += [f"{_money(taken)} was taken out"] if taken else []
    text = f"{' and '.join(parts)} during the run; returns leave it out, the end value has it"
    return [Note(Severity.ASSUMPTION, "cash-paid-in", text)]


def config_notes(
    broker: Broker, orders: Orders | None, counts: Mapping[str, int], n_fills: int
) -> list[Note]:
    """Return what the settings of account and orders mean for the figures of a run.

    Parameters
    ----------
    broker : Broker
    orders : Orders, optional
        None where the strategy sends its own.
    counts : mapping
        Of the run; `rejected` is read.
    n_fills : int
        How many orders were filled.
    """
    notes = []
    if n_fills and not broker.commission.amount and not broker.slippage_bps:
        notes.append(no_costs("broker.commission and broker.slippage_bps are not set"))
    if orders is not None and orders.cash_buffer == 0.0:
        rejected = counts.get("rejected", 0)
        text = (
            "orders.cash_buffer is 0: an entry at the limit is rejected where the next open is "
            f"worse than the close by any amount ({rejected:,} rejected), so longs miss the days "
            "that open higher while shorts do not"
        )
        notes.append(Note(Severity.ASSUMPTION, "no-cash-buffer", text))
    if orders is not None and broker.commission.margin and orders.max_leverage != 1.0:
        text = (
            f"orders.max_leverage {orders.max_leverage:g} does not limit futures: size x margin "
            f"is limited to {1.0 - orders.cash_buffer:.0%} of equity"
        )
        notes.append(Note(Severity.ASSUMPTION, "leverage-of-futures", text))
    return notes


def no_costs(why: str) -> Note:
    """Return the note of a run whose trades cost nothing."""
    return Note(Severity.ASSUMPTION, "no-costs", f"no costs: {why}; all figures are before costs")
