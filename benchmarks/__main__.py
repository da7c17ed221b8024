"""`python -m benchmarks [--quick] [--only engines sweeps ...] [--write docs/benchmarks.md]`."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from benchmarks.sections import ALL
from benchmarks.sizes import FULL, QUICK
from benchmarks.tables import page
from benchmarks.timing import machine

PREFACE = (
    "Made by `make bench` (`python -m benchmarks --write docs/benchmarks.md`). Everybody gets the "
    "same bars: full sessions of 390 simulated minutes with option volume and open interest; one "
    "year is 252 of them, 98,280 bars. The rules are those of the shipped demo: enter on "
    "one-sided option flow, size by risk, ATR stop, time stop, flat before the close, commission "
    "and slippage. Numbers are medians; with those of another machine compare ratios, not seconds."
)


def main() -> int:
    """Measure, print, and write if told to; 1 where a target is missed in a full run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few bars, one round: seconds")
    parser.add_argument("--only", nargs="+", choices=list(ALL), default=list(ALL))
    parser.add_argument("--write", type=Path, help="write the page to this file too")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    size, sections = QUICK if given.quick else FULL, []
    for name in given.only:
        print(f"measuring {name} ...", file=sys.stderr)
        sections.append(ALL[name](size))
    text = page(machine(), sections, PREFACE)
    print(text)
    if given.write:
        given.write.parent.mkdir(parents=True, exist_ok=True)
        given.write.write_text(text, encoding="utf-8")
    missed = any(not target.reached for section in sections for target in section.targets)
    return int(missed and not given.quick)


if __name__ == "__main__":
    sys.exit(main())
