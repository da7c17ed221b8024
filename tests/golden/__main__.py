"""`python -m tests.golden`: compare the figures with those expected, or write them anew."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from . import expected
from .cases import Case, every_case


def main(arguments: list[str] | None = None) -> int:
    """Return 0 where every figure is what it was or was written, else 1."""
    asked = _asked(arguments)
    beside = Path(__file__).resolve().parents[2] / ".." / "shared" / "data"
    data = Path(os.environ.get("HPI_BT_DATA") or beside).resolve()
    cases = {case.name: case for case in every_case()}
    unknown = set(asked.names) - set(cases)
    if unknown:
        print(f"no case {', '.join(sorted(unknown))} (known: {', '.join(cases)})", file=sys.stderr)
        return 2
    failed = 0
    for name in asked.names or cases:
        if cases[name].is_real and not data.is_dir():
            print(f"{name}: left out, no real data in {data}; set HPI_BT_DATA to its folder")
            continue
        failed |= not _settled(cases[name], data, asked.write, asked.rule)
    return int(failed)


def _asked(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.golden", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="cases; all by default")
    parser.add_argument("--write", action="store_true", help="write what is new or changed")
    parser.add_argument("--rule", default="", help="what changed figures, as CHANGELOG.md says it")
    return parser.parse_args(arguments)


def _settled(case: Case, data: Path, write: bool, rule: str) -> bool:
    """Return whether a case's figures are those expected, or are now."""
    with tempfile.TemporaryDirectory(prefix="golden-") as scratch:
        found = case.compute(data, Path(scratch))
    old = expected.read(case.name) or {"build": "", "rules": [], "figures": {}, "tables": {}}
    lines = expected.differences(old, found)
    new = expected.additions(old, found)
    for line in lines:
        print(f"{case.name}: {line}")
    if not lines and not new:
        return True
    if not write or (lines and not rule.strip()):
        why = "a figure that changes needs --rule" if write else "--write writes them"
        print(f"{case.name}: {len(lines)} changed, {len(new)} new; {why}")
        return not lines and bool(old["build"])
    expected.write(case.name, found, [*old["rules"], *([rule.strip()] if lines else [])])
    print(f"{case.name}: written, {len(lines)} changed, {len(new)} new")
    return True


if __name__ == "__main__":
    sys.exit(main())
