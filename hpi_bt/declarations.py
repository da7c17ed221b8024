"""What an indicator's `chart` and a config's `chart:` may say of a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpi_bt.errors import InputError, did_you_mean

KINDS = ("line", "step", "area", "histogram", "event", "zone")
COLOURS = (
    "color",
    "light",
    "level_color",
    "gradient_from",
    "gradient_to",
    "up_color",
    "down_color",
)
OPTIONS = (
    *("pane", "kind", "width", "levels", "range", "gradient", "segment", "on", "up", "down"),
    "words",  # what values are called: {1: "squeeze up"}
    "title",  # what the page calls the line
    *("high", "strength"),  # of a zone: the column of its upper bound, and of its weight in [0, 1]
    "alert",  # whether an event goes to alerts.csv: true or false
    "value",  # the line whose value an alert quotes
    "study",  # whether a line is studied against price: true or false
    "headline",  # the line that a scan shows of its indicator: true or false
    *COLOURS,
)
#: What an indicator alone may say besides: that the line is rarely known.
DECLARED = (*OPTIONS, "sparse")


def check_options(given: Mapping[Any, Any], where: str, known: tuple[str, ...] = OPTIONS) -> None:
    """Refuse what would be passed over in silence: an unknown option, or an unknown kind.

    Raises
    ------
    InputError
        It begins with `where`.
    """
    for name in given:
        if name not in known:
            raise InputError(f"{where}: no option {name!r}{did_you_mean(str(name), known)}")
    kind = given.get("kind", "line")
    if kind not in KINDS:
        raise InputError(f"{where}: kind {kind!r}{did_you_mean(str(kind), KINDS)}")
