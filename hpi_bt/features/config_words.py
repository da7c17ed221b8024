"""What is said of chains in the words of a config, whose keys are not the arguments of Python."""

from __future__ import annotations

import re

_SAID = {
    r"contracts: (all \d+ have expired) by .*; give the moment of the quotes as as_of": (
        r"its contracts: \1; right after a close, else mend timezone or late_minutes"
    ),
    r"; give as_of to say when they were made": (
        "; late_minutes and known_at: {delay_minutes: ...} say so"
    ),
    r"does not say when it was made; give as_of": "does not say when it was made; add a column ts",
    r"\bgive as_of and spot\b": "give spot and a column ts",
    r"\bgive as_of\b": "mend its stamp",
    r"\bmend as_of\b": "mend its stamp",
    r"\bas_of '": "stamp '",
    r"\ba wider range\b": "a wider range_pct",
    r"\bname (it|one) under columns\b": r"name \1 under chains (columns: ...)",
    r"\b(?:in a file )?map it as iv_pct under columns": (
        "map it under chains (columns: {iv_pct: iv})"
    ),
    r"\bname it under source\b": "name it under chains",
}


def in_config(message: str) -> str:
    """Return a message that names the keys of a config's `chains`, not arguments."""
    for said, ours in _SAID.items():
        message = re.sub(said, ours, message)
    return message
