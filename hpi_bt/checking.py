"""Whether a strategy, its parameters and its data fit one another."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from hpi_bt.backtest.fast import parameters_of
from hpi_bt.backtest.record import Record
from hpi_bt.errors import InputError, Note, did_you_mean, shortened
from hpi_bt.sources.frame import validate_frame


def check_params(strategy: Any, params: Mapping[str, Any], where: str = "strategy.params") -> None:
    """Refuse parameters that the strategy lacks, or of another kind than its defaults."""
    defaults = {k: v for k, v in strategy.params._getitems() if k != "orders"}
    for name, value in params.items():
        if name not in defaults:
            hint = did_you_mean(name, defaults) if defaults else " (it has none)"
            raise InputError(
                f"{where}.{name}: {strategy.__name__} has no such parameter{hint}; "
                "rename or remove it"
            )
        wanted, found = _kind(defaults[name]), _kind(value)
        if "" not in (wanted, found) and wanted != found:
            raise InputError(
                f"{where}.{name}: found {shortened(repr(value))}; wanted {wanted} such as the "
                f"default, {defaults[name]!r}"
            )


def _kind(value: object) -> str:
    """Return what a value is in YAML, "" where it may stand for anything."""
    kinds = (
        *((bool, "true or false"), (int | float, "a number"), (str, "text")),
        *((list, "a list"), (dict, "a mapping"), (date, "a date")),
    )
    return next((word for kind, word in kinds if isinstance(value, kind)), "")


def check_inputs(strategy: Any, frame: pd.DataFrame, params: Mapping[str, Any]) -> None:
    """Refuse a signal kernel that does not fit its class, and data that lack what it needs."""
    inputs = getattr(strategy, "inputs", ())
    if hasattr(strategy, "inputs_for"):
        strategy.outputs()
        inputs = strategy.inputs_for(parameters_of(strategy, params)).required
    validate_frame(frame, name=frame.attrs["symbol"], required=inputs)


def check_known(record: Record) -> None:
    """Refuse a run in which one of our indicators was never known, by look-back or lack of data."""
    from hpi_bt.indicators import __all__ as ours
    from hpi_bt.indicators.remarks import NEVER_KNOWN

    for pane in record.panes:
        column = pane["column"]
        if pane.get("kind") == "event" or pane["indicator"] not in ours or pane.get("sparse"):
            continue
        if record.signals[column].isna().all():
            said = (r for r in record.remarks if isinstance(r, Note) and r.code == NEVER_KNOWN)
            why = next((note.text for note in said), "")
            raise InputError(
                f"{record.frame.attrs['symbol']}: {column} is never known in {len(record.frame)} "
                f"bars{f' ({why})' if why else ''}; give more data or shorter look-backs"
            )
