"""How a config's `chains` spells the settings that texts about chains name."""

from __future__ import annotations

from hpi_bt.errors import InputError, Wording, as_key, in_words

_STAMP = "fix its stamp (a column ts), or timezone and late_minutes under chains"


def _spelled(name: str, value: str) -> str:
    """Return a setting as a key of `chains`: timezone: Asia/Kolkata."""
    if name == "as_of":
        return "late_minutes and known_at: {delay_minutes: ...}"
    return as_key(name, value)


CONFIG = Wording(_spelled, {"as_of": _STAMP})


def in_config(line: str) -> str:
    """Return a line with its settings spelled as keys of a config's `chains`."""
    return in_words(line, CONFIG)


def refusal_in_config(error: InputError) -> InputError:
    """Return a refusal with its settings spelled as keys of a config's `chains`."""
    return error.in_words(CONFIG)
