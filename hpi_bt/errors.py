"""The one exception that a user's own input can raise."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Wrong input: one line that says where, which value, what is wanted and how to mend it.

    The command line prints the message alone and leaves with exit code 2.
    """


def raised_by_us(error: Exception) -> bool:
    """Return whether hpi_bt itself raised an error, not a user's strategy or a library."""
    tail = error.__traceback__
    while tail is not None and tail.tb_next is not None:
        tail = tail.tb_next
    return tail is not None and str(tail.tb_frame.f_globals.get("__name__")).startswith("hpi_bt.")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the nearest known word, or the known words, 25 at most."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    some = [*names[:20], "..."] if len(names) > 25 else names
    return f" (did you mean {near[0]!r}?)" if near else f" (known: {', '.join(some)})"
