"""What the dealers hold of each contract, under a stated convention (definitions 5)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, Note, did_you_mean
from hpi_bt.options.chain import OptionChain

#: Sign of the dealer's position in calls; puts have the other one. + is long.
CONVENTIONS = {
    "dealers_long_calls_short_puts": 1.0,  # SqueezeMetrics' GEX
    "dealers_short_calls_long_puts": -1.0,  # floe
}
MODES = ("canonical", "flow_delta", "live", "volume")
#: Columns that are no dealer positions, whatever their numbers.
_NO_POSITIONS = ("strike", "right", "bid", "ask", "iv", "volume", "open_interest", "last", "gamma")
DEFAULT_POSITIONING = "dealers_long_calls_short_puts"


class DealerBook(NamedTuple):
    """Dealer positions and where they come from.

    Attributes
    ----------
    positions : ndarray of shape (n_contracts,)
        Contracts, + long; 0 where what it needs is unknown.
    notes : tuple of str
        What was counted and assumed, one plain sentence each.
    """

    positions: FloatArray
    notes: tuple[str, ...]


def dealer_positions(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
) -> FloatArray:
    """Return the dealers' position in each contract, in contracts, + long; see `dealer_book`."""
    return dealer_book(chain, positioning=positioning, mode=mode).positions


def dealer_book(
    chain: OptionChain,
    *,
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
) -> DealerBook:
    """Return the dealers' position in each contract and what it rests on.

    Parameters
    ----------
    chain : OptionChain
    positioning : str
        The sign d: "dealers_long_calls_short_puts" (+1 calls, -1 puts),
        "dealers_short_calls_long_puts" (the opposite), or a column of signed dealer positions.
    mode : {"canonical", "flow_delta", "live", "volume"}
        d OI (or the column); -(sum side size) of the session's customer trades from the column
        `trade_flow`, to which d does not apply, or where that is absent d (OI_live - OI) from
        `open_interest_live`; the sum of these two; d volume.

    Returns
    -------
    book : DealerBook

    Raises
    ------
    InputError
        An unknown mode or positioning, or a column that the mode needs and the chain lacks.
    """
    if mode not in MODES:
        raise InputError(f"{mode!r}{did_you_mean(mode, MODES)}; give one of them", field="mode")
    sign = _signs(chain, positioning)
    parts, notes = [], []
    if mode in ("canonical", "live"):
        parts.append(_held(chain, positioning, sign))
        notes.append(f"Open positions: {_words(positioning, sign)}.")
    if mode in ("flow_delta", "live"):
        flow, note = _flow(chain, sign, mode)
        parts.append(flow)
        notes.append(note)
    if mode == "volume":
        if sign is None:
            raise InputError(
                f"column {positioning!r} gives no sign to volume; name a convention",
                field="positioning",
            )
        parts.append(sign * _needed(chain, "volume", mode))
        notes.append(f"The session's volume, all of it opening: {_words(positioning, sign)}.")
    total = np.sum(parts, axis=0)
    unknown = int(np.count_nonzero(np.isnan(total)))
    if unknown:
        notes.append(f"Contracts without a known position, none in exposures: {unknown}.")
    return DealerBook(np.nan_to_num(total, nan=0.0), tuple(notes))


def _signs(chain: OptionChain, positioning: str) -> FloatArray | None:
    """Return d of each contract, None where a column gives positions; refuse anything else."""
    if positioning in CONVENTIONS:
        return CONVENTIONS[positioning] * chain.right
    if positioning not in chain.contracts:
        known = [*CONVENTIONS, *(c for c in ("dealer_position",) if c in chain.contracts)]
        raise InputError(
            f"{positioning!r} is no convention and no column of the chain"
            f"{did_you_mean(positioning, known)}",
            field="positioning",
        )
    if positioning in _NO_POSITIONS:
        raise InputError(
            f"column {positioning!r} holds no signed dealer positions; name a "
            "convention, or a column of contracts, + where dealers are long",
            field="positioning",
        )
    return None


def _held(chain: OptionChain, positioning: str, sign: FloatArray | None) -> FloatArray:
    """Return the positions that were open before the session."""
    if sign is not None:
        return np.asarray(sign * _needed(chain, "open_interest", "canonical"))
    return _needed(chain, positioning, "canonical")


def _flow(chain: OptionChain, sign: FloatArray | None, mode: str) -> tuple[FloatArray, str]:
    """Return what the session added to the dealers' positions, and how that is known."""
    if chain.trade_flow is not None:
        return -_needed(chain, "trade_flow", mode), (
            "The session's flow: the other side of the customers' signed trades."
        )
    if sign is None or chain.open_interest_live is None:
        raise InputError(
            f"{mode!r} needs a column 'trade_flow' (signed customer contracts), or "
            "'open_interest_live' and a convention; add one, or choose mode 'canonical'",
            field="mode",
        )
    change = _needed(chain, "open_interest_live", mode) - _needed(chain, "open_interest", mode)
    return np.asarray(sign * change), (
        "The session's flow: the change of live open interest under the same convention."
    )


def _needed(chain: OptionChain, name: str, mode: str) -> FloatArray:
    """Return a numeric column of which at least one value is known."""
    try:
        values = chain.optional(name)
    except (TypeError, ValueError):
        raise InputError(
            f"column {name!r} holds no numbers; name another", field="positioning"
        ) from None
    if values is None or np.isnan(values).all():
        why = [n.text for n in chain.notes if isinstance(n, Note) and n.code == f"no-{name}"]
        raise InputError(
            f"{name} is not known for any contract, which mode {mode!r} needs"
            f"{''.join(f' ({text})' for text in why)}",
            field="contracts",
            remedy="add the column or choose another `mode`",
        )
    if np.isinf(values).any():
        raise InputError(f"{name} holds infinite numbers; mend or drop them", field="contracts")
    return values


def _words(positioning: str, sign: FloatArray | None) -> str:
    """Return a convention in words."""
    if sign is None:
        return f"the column {positioning!r}"
    return positioning.replace("_", " ")
