"""Names of any script inside sentences: what is written right to left moves no number about it."""

from __future__ import annotations

import re

_CONTROLS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
#: The blocks of scripts that are written right to left, as Unicode sets them apart.
_LETTER = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
_WORDS = re.compile(f"{_LETTER}+(?:[ \\d_'\"-]*{_LETTER}+)*")
_ISOLATE, _END = "\u2068", "\u2069"


def readable(text: str) -> str:
    """Return a text whose order on screen is the order in which it is written, numbers included.

    Beside a right-to-left name a browser would set "name, 12 to 34" as "34 to 12, name": words of
    such scripts are put between U+2068 and U+2069, which part them from what stands beside them.
    Characters that turn the direction by themselves are dropped, as a name needs none of them.

    Parameters
    ----------
    text : str
        Any text: a sentence with names in it, or a name.

    Returns
    -------
    text : str
        The same text where it holds neither.
    """
    if text.isascii():
        return text
    return _WORDS.sub(lambda words: f"{_ISOLATE}{words[0]}{_END}", _CONTROLS.sub("", text))
