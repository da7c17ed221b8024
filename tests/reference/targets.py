"""A position held between entries and exits, as definitions 8 and its docstring tell it."""

from __future__ import annotations

from collections.abc import Sequence

from reference.averages import Series


def held_target(
    enter: Series,
    leave_long: Sequence[bool],
    leave_short: Sequence[bool],
    *,
    fade: str = "exit",
    session: Series | None = None,
) -> list[float]:
    position, kept_until_entry = 0.0, False
    out = []
    for t, wish in enumerate(enter):
        if session is not None and t and session[t] != session[t - 1]:
            position, kept_until_entry = 0.0, False
        leave = leave_long[t] if position > 0 else leave_short[t]
        if wish > 0 or wish < 0:
            position, kept_until_entry = (1.0 if wish > 0 else -1.0), False
        elif position != 0 and leave and not kept_until_entry:
            kept_until_entry = fade == "reverse"
            position = -position if kept_until_entry else 0.0
        out.append(position)
    return out
