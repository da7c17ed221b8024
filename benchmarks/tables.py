"""Tables and targets, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Target:
    """A demand on one number, and the number."""

    text: str
    value: float
    bound: float
    at_most: bool = False
    unit: str = ""

    @property
    def reached(self) -> bool:
        """Whether the number meets the demand."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def row(self) -> list[str]:
        """Return the cells of a table row."""
        sign = "at most" if self.at_most else "at least"
        wanted = f"{sign} {self.bound:g}{self.unit}"
        return [
            self.text,
            wanted,
            f"{self.value:.4g}{self.unit}",
            "reached" if self.reached else "MISSED",
        ]


@dataclass
class Section:
    """One table with what must be said about it."""

    title: str
    header: Sequence[str]
    rows: list[list[str]] = field(default_factory=list)
    note: str = ""
    targets: list[Target] = field(default_factory=list)

    def markdown(self) -> str:
        """Return the section as Markdown."""
        parts = [f"## {self.title}", table(self.header, self.rows)]
        return "\n\n".join([*parts, self.note] if self.note else parts)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def seconds(value: float) -> str:
    """Return a duration with three digits and its unit."""
    if value >= 1.0:
        return f"{value:.3g} s" if value < 1000 else f"{value:.0f} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} us"


def page(machine: Mapping[str, str], sections: Sequence[Section], preface: str) -> str:
    """Return the whole report: machine, targets, tables."""
    targets = [target.row() for section in sections for target in section.targets]
    found = ", ".join(f"{name} {value}" for name, value in machine.items())
    parts = [
        "# Benchmarks",
        preface,
        f"Measured on: {found}.",
        "## Targets",
        table(["demand", "wanted", "found", ""], targets),
        *(section.markdown() for section in sections),
    ]
    return "\n\n".join(parts) + "\n"
