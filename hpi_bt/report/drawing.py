"""What to draw where: the declarations of indicators, checked and complete."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray
from hpi_bt.declarations import COLOURS, DECLARED, check_options
from hpi_bt.errors import InputError, did_you_mean

#: What panes.json says besides: whose line it is.
_ABOUT = ("indicator", "label", "params", "column", "line")

#: Colours of what is not an indicator; `style` replaces them under "candles" and "trades".
CANDLES = {"up": "#26a69a", "down": "#ef5350", "volume": "#7d8a9c"}
TRADES = {
    **{"long": "#1e88e5", "short": "#ab47bc", "win": "#12a06c", "loss": "#e5484d"},
    **{"stop": "#e5484d", "target": "#12a06c", "time": "#d98b14", "exit": "#8594a8"},
    "veto": "#d98b14",
}
#: Colours of lines whose declaration names none.
PALETTE = (
    *("#3d7de0", "#e2871f", "#1f9e76", "#a05bd3", "#d4478f", "#7a8c1e", "#14a0b5", "#b0653a"),
)
_DAILY_SECONDS = 20 * 3600  # bars further apart are days
_HEX = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


def drawings(
    panes: Sequence[Mapping[str, Any]], columns: Collection[str], style: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return every line to draw with all its options, colours as #rrggbb, columns by full name.

    Those are the declared ones, and any other column that `style` names.

    Parameters
    ----------
    panes : sequence of mapping
        panes.json: column, label, line and what the indicator's `chart` says of it.
    columns : collection of str
        Names of the columns that there are.
    style : mapping
        {column: {option: value}} over the declarations; "candles" and "trades" are not looked at.

    Raises
    ------
    InputError
        An option cannot be drawn, or names a column that there is not.
    """
    known = dict.fromkeys([*(str(pane["column"]) for pane in panes), "candles", "trades"])
    asked = [str(name) for name in style if name not in known]
    for name in asked:
        if name not in columns:
            raise InputError(f"chart: no line {name!r}{did_you_mean(name, (*known, *columns))}")
    drawn = [{**pane, **_options(style, str(pane["column"]))} for pane in panes]
    drawn += [_about(name) | _options(style, name) for name in asked]
    return [_drawing(pane, columns, PALETTE[i % len(PALETTE)]) for i, pane in enumerate(drawn)]


def _about(column: str) -> dict[str, Any]:
    """Return whose line a column is; one without a dot is of the data."""
    label, _, line = column.rpartition(".")
    return {"column": column, "label": label, "line": line}


def are_days(index: pd.DatetimeIndex) -> bool:
    """Return whether the bars that close at `index` are days or longer: they are shown by date."""
    gaps = np.diff(index.as_unit("s").asi8)
    return bool(gaps.size) and float(np.median(gaps)) >= _DAILY_SECONDS


def as_pulses(line: dict[str, Any], values: FloatArray) -> dict[str, Any]:
    """Return a drawing that suits a signal: a "line" that is only -1, 0 or 1 of shape (n_bars,).

    Pulses, such as Backtrader's CrossOver, become events, and states steps; as a slanted line
    they would be spikes. Any other line, and any other kind, is returned as it is.
    """
    known = values[np.isfinite(values)]
    if line["kind"] != "line" or not known.any() or not np.isin(known, (-1.0, 0.0, 1.0)).all():
        return line
    on = int(np.count_nonzero(known))
    begun = int(np.count_nonzero((known != 0.0) & (np.diff(known, prepend=0.0) != 0.0)))
    if 3 * on > known.size or 2 * begun < on:
        return line | {"kind": "step"}
    return line | {"kind": "event", "levels": [], "range": None}


def check_style(style: Mapping[str, Any]) -> None:
    """Refuse a style that no run could draw, before the run: options, colours and widths."""
    mark_colours(style)
    for name in style:
        if name in ("candles", "trades"):
            continue
        given = _options(style, name)
        for option in COLOURS:
            if given.get(option):
                as_colour(given[option], f"chart.{name}.{option}")
        _width(given.get("width", 1), f"chart.{name}")


def mark_colours(style: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return the colours of candles and trades, those of `style` before the usual ones."""
    found = {}
    for part, usual in (("candles", CANDLES), ("trades", TRADES)):
        given = _mapping(style.get(part, {}), f"chart.{part}")
        for name in given:
            if name not in usual:
                raise InputError(f"chart.{part}: no colour {name!r}{did_you_mean(name, usual)}")
        found[part] = usual | {k: as_colour(v, f"chart.{part}.{k}") for k, v in given.items()}
    return found


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {value!r}; give name: value pairs")
    return {str(k): v for k, v in value.items()}


def _options(style: Mapping[str, Any], column: str) -> dict[str, Any]:
    given = _mapping(style.get(column, {}), f"chart.{column}")
    check_options(given, f"chart.{column}")
    return given


def _drawing(pane: Mapping[str, Any], columns: Collection[str], colour: str) -> dict[str, Any]:
    """Return one line's declaration, checked, with every option filled in."""
    column, label = str(pane["column"]), str(pane.get("label", ""))
    check_options({k: v for k, v in pane.items() if k not in _ABOUT}, column, DECLARED)
    segment = pane.get("segment") or []
    if not isinstance(segment, (list, tuple)) or len(segment) not in (0, 2):
        raise InputError(f"{column}: segment {segment!r}; name two lines, the ages of two pivots")

    def full(name: Any, option: str) -> str:
        for known in (f"{label}.{name}", str(name)):
            if known in columns:
                return known
        raise InputError(f"{column}: {option} names {name!r}{did_you_mean(str(name), columns)}")

    return {
        "column": full(column, "column"),
        "label": label,
        "name": str(pane.get("line", column)),
        "title": str(pane.get("title", "")),
        "words": _words(pane.get("words"), column),
        "sparse": bool(pane.get("sparse")),
        "params": str(pane.get("params", "")),
        "pane": str(pane.get("pane", label or column)),
        "kind": pane.get("kind", "line"),
        "width": _width(pane.get("width", 1), column),
        "levels": [_number(v, f"{column}: levels") for v in pane.get("levels") or []],
        "range": _range(pane.get("range"), column),
        "gradient": full(pane["gradient"], "gradient") if pane.get("gradient") else None,
        "segment": [full(name, "segment") for name in segment],
        "on": full(pane["on"], "on") if pane.get("on") else None,
        "high": full(pane.get("high"), "high") if pane.get("kind") == "zone" else None,
        "strength": full(pane["strength"], "strength") if pane.get("strength") else None,
        "up": str(pane.get("up", "up")),
        "down": str(pane.get("down", "down")),
        **{k: as_colour(pane[k], f"{column}: {k}") if pane.get(k) else None for k in COLOURS},
        "color": as_colour(pane.get("color") or colour, f"{column}: color"),
    }


def as_colour(value: object, where: str) -> str:
    """Return a colour as #rrggbb or #rrggbbaa; names are Matplotlib's, as Backtrader's are."""
    if isinstance(value, str) and _HEX.fullmatch(value):
        digits = "".join(c * (2 if len(value) < 7 else 1) for c in value[1:]).lower()
        return "#" + (digits[:6] if digits[6:] == "ff" else digits)
    from matplotlib.colors import to_hex

    try:
        found = str(to_hex(value, keep_alpha=True))  # type: ignore[arg-type]
    except ValueError:
        raise InputError(
            f"{where} {value!r} is no colour; give '#2962ff' or a name such as 'teal'"
        ) from None
    return found[:7] if found[7:] == "ff" else found


def blend(low: str, high: str, position: float) -> str:
    """Return the colour between two, #rrggbb: `low` at position 0, `high` at 1."""
    ends = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (low, high)]
    place = min(max(position, 0.0), 1.0)
    mixed = (round(a + place * (b - a)) for a, b in zip(*ends, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _number(value: object, where: str) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not math.isfinite(value):  # type: ignore[arg-type]
        raise InputError(f"{where} {value!r}; give a number")
    return float(value)  # type: ignore[arg-type]


def _words(value: object, column: str) -> dict[str, str]:
    """Return what values are called, by the value as a page writes it."""
    if value is None:
        return {}
    try:
        return {f"{float(k):g}": str(text) for k, text in _mapping(value, column).items()}
    except ValueError:  # InputError is one
        raise InputError(f"{column}: words {value!r}; give number: text pairs") from None


def _width(value: object, column: str) -> int:
    if isinstance(value, bool) or value not in (1, 2, 3, 4):
        raise InputError(f"{column}: width {value!r}; give 1, 2, 3 or 4 (pixels)")
    return int(value)


def _range(value: object, column: str) -> list[float] | None:
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise InputError(f"{column}: range {value!r}; give its lowest and highest value")
    low, high = (_number(v, f"{column}: range") for v in value)
    if not low < high:
        raise InputError(f"{column}: range {value!r}; give the lower value first")
    return [low, high]
