"""Option chains in JSON that lists contracts as objects: whatever the keys above the list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas as pd

from hpi_bt.errors import InputError, shortened
from hpi_bt.sources.chain_columns import ALIASES, find_columns
from hpi_bt.sources.chain_file import Given
from hpi_bt.sources.chain_table import parsed_chain_table, wide_columns
from hpi_bt.sources.chain_tidy import Snapshots, split_snapshots

_DEEPEST = 4  # keys above a list
_SHOWN = 25  # keys of an object that a message names
#: Keys of nested objects under names of plain tables.
_NESTED = {
    "details.ticker": "contract",
    "details.contract_type": "right",
    "details.expiration_date": "expiry",
    "details.strike_price": "strike",
    "last_quote.bid": "bid",
    "last_quote.ask": "ask",
    "last_quote.last_updated": "ts",
    "last_trade.price": "last",
    "day.volume": "volume",
    "underlying_asset.price": "spot",
    "underlying_asset.ticker": "symbol",
    "greeks.delta": "delta",
    "greeks.gamma": "gamma",
    "greeks.mid_iv": "iv",
}


def parsed_json(text: str, name: str) -> Any:
    """Return what a text of JSON holds.

    Raises
    ------
    InputError
        It is broken off, or several answers stand one after the other.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            raise InputError(
                f"holds several JSON texts, the second from line {error.lineno} on; wanted one",
                where=name,
                remedy="save each in a file of its own",
            ) from None
        raise InputError(
            f"no whole JSON ({error})", where=name, remedy="download it again"
        ) from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, deep nesting
        reason = shortened(str(error), 120)
        raise InputError(
            f"no whole JSON ({reason})", where=name, remedy="download it again"
        ) from None


def is_cboe(answer: Any) -> bool:
    """Return whether a JSON text is CBOE's delayed quotes: contracts under data.options."""
    data = answer.get("data") if isinstance(answer, dict) else None
    options = data.get("options") if isinstance(data, dict) else None
    return isinstance(options, list) and bool(options) and isinstance(options[0], dict)


def json_snapshots(answer: Any, given: Given, *, name: str, columns: dict[str, str]) -> Snapshots:
    """Return the contracts of the longest list of objects, split by their stamps.

    Parameters
    ----------
    answer : dict or list
        The JSON. Objects within an object have names such as greeks.mid_iv.
    given, name, columns
        As in `chain_tidy.tidy_snapshots`.

    Raises
    ------
    InputError
        No list of objects that say contracts; the message names the keys that there are.
    """
    lists = sorted(_lists(answer, ""), key=lambda found: -len(found[1]))
    if _is_bare(answer):
        found = f"holds no contracts ({_shape(answer)})"
        raise InputError(found, where=name, remedy="download it again")
    if not lists:
        raise _unknown(f"no list of objects in it ({_shape(answer)})", name)
    place, rows = lists[0]
    table = pd.json_normalize(rows)
    keys = [str(c) for c in table.columns]
    plain = find_columns(keys, columns, ALIASES, name=name)
    nested = {ours: key for key, ours in _NESTED.items() if key in keys and ours not in plain}
    columns = {o: k for o, k in nested.items() if k not in columns.values()} | columns
    places = find_columns(keys, columns, ALIASES, name=name)
    said = {"expiry", "strike", "right"} <= set(places) or {"contract", "symbol"} & set(places)
    if not said and not wide_columns(keys):
        shown = ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
        raise _unknown(f"{place}[] holds {len(rows)} objects with {shown}", name)
    return split_snapshots(parsed_chain_table(table, given, name=name, columns=columns), given)


def _unknown(found: str, name: str) -> InputError:
    return InputError(
        f"{found}; wanted expiry, strike and right of each contract or its OCC symbol, or the "
        "delayed quotes of CBOE (data.options)",
        where=name,
        remedy="map keys as `columns=strike:ITS KEY`, or save it as a CSV with a row per contract",
    )


def _lists(value: Any, place: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the lists of objects in a JSON value, with the keys that lead to them."""
    if isinstance(value, list):
        if value and all(isinstance(one, dict) for one in value):
            yield place, value
    elif isinstance(value, dict) and place.count(".") < _DEEPEST:
        for key, inner in value.items():
            yield from _lists(inner, f"{place}.{key}" if place else str(key))


def _is_bare(answer: Any) -> bool:
    """Return whether a JSON value has no key at all, nor a list of rows: [], {}, [{}], [1, 2]."""
    if isinstance(answer, list):
        return not any(isinstance(one, (dict, list)) and one for one in answer)
    return isinstance(answer, dict) and not answer


def _shape(answer: Any) -> str:
    """Return the keys at the top of a JSON value in words."""
    if isinstance(answer, list):
        return "a list without objects" if answer else "an empty list"
    if isinstance(answer, dict):
        keys = [f"{k}{'{}' if isinstance(v, dict) else ''}" for k, v in answer.items()]
        return f"keys {', '.join(keys[:_SHOWN])}" if keys else "an empty object"
    return f"a {type(answer).__name__}"
