"""What one simulated market gave."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Seen:
    """What one simulated market gave; NaN where a test could not be made.

    Attributes
    ----------
    p : list
        Of every test, under no edge.
    covered : list
        Whether each 95 % interval holds the truth, 0; of the gauge, the interval itself.
    found : list
        Whether an effect of the size called detectable, once planted, was found.
    claims, hints : list
        Whether the words of a whole study claim something, or hint at something and claim nothing.
    """

    p: list = field(default_factory=list)
    covered: list = field(default_factory=list)
    found: list = field(default_factory=list)
    claims: list = field(default_factory=list)
    hints: list = field(default_factory=list)
