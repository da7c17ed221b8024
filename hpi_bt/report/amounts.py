"""Numbers as a reader wants them: amounts in short, prices, vols, distances."""

from __future__ import annotations

import math

from hpi_bt.errors import Note

NONE = "–"
_STEPS = ((1e12, " tn"), (1e9, " bn"), (1e6, " m"), (1e3, " k"))


def amount(value: float, *, sign: bool = True, digits: int = 3, trim: bool = False) -> str:
    """Return a large number in short: +17.8 bn; a dash where it is not finite.

    `digits` are significant ones; `trim` leaves out zeros at the end.
    """
    if not math.isfinite(value):
        return NONE
    size, unit = abs(value), ""
    for step, word in _STEPS:
        if size >= step * (1.0 - 0.5 * 10.0**-digits):
            size, unit = size / step, word
            break
    power = int(f"{size:.{digits - 1}e}".partition("e")[2]) if size >= 1e-6 else 0
    places = max(digits - 1 - power, 0) if size >= 1e-6 else 0
    text = f"{size:.{places}f}"
    text = text.rstrip("0").rstrip(".") if trim and "." in text else text
    if not any(digit in text for digit in "123456789"):
        return "0"
    mark = "−" if value < 0.0 else "+" if sign else ""
    return f"{mark}{text}{unit}"


def level(value: float) -> str:
    """Return a price: 4,505.10, or 4,500 where it is whole; a dash where there is none."""
    if not math.isfinite(value):
        return NONE
    return f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"


def away(value: float, spot: float) -> str:
    """Return how far a price is from spot: +0.51 %; a dash where there is none."""
    share = 100.0 * (value / spot - 1.0)
    return signed(share, 2) + " %" if math.isfinite(share) else NONE


def signed(value: float, digits: int) -> str:
    """Return a number with its sign; a dash where it is not finite."""
    if not math.isfinite(value):
        return NONE
    text = f"{value:+.{digits}f}"
    return f"{0:.{digits}f}" if float(text) == 0.0 else text.replace("-", "−")


def plain(value: float, digits: int) -> str:
    """Return a number, its minus as a minus; a dash where it is not finite."""
    return signed(value, digits).removeprefix("+")


def vol(value: float) -> str:
    """Return a vol in percent; a dash where it is not finite."""
    return f"{100.0 * value:.1f} %" if math.isfinite(value) else NONE


def sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop; a note stays one."""
    if isinstance(text, Note):
        return text.with_text(sentence)
    return text[:1].upper() + text[1:].rstrip(".") + "."
