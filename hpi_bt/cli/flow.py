"""The command that computes a config's features ahead of its runs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpi_bt.cli.options import CacheDir, DataDir, Offline, Overrides
from hpi_bt.cli.screen import Stages, show_frame
from hpi_bt.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from hpi_bt.features.ahead import Ahead

_LARGE = 1e5
_MOST_LINES = 8  # of what there is to know, unless all are asked for
_AMOUNTS = ("impulse", "gex", "charm_to_close")
_WHOLE = 100.0  # from here on an amount is shown without decimals
_FORMATS = {"zero_gamma": "{:,.2f}", "call_wall": "{:,.6g}", "put_wall": "{:,.6g}"}


def flow_command(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML config.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    offline: Offline = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every snapshot's numbers there.")
    ] = None,
    notes: Annotated[
        bool, typer.Option("--notes", help="Print every note, not the first.")
    ] = False,
) -> None:
    """Compute a config's features (hedge flow of every chain snapshot) and keep them."""
    from hpi_bt.flowing import flow
    from hpi_bt.sources.paths import user_path

    csv = None if csv is None else user_path(csv, "--csv")
    with Stages() as stage:
        found = flow(
            config, overrides=overrides, data_dir=data_dir, cache_dir=cache_dir, offline=offline,
            stage=stage,
        )  # fmt: skip
    for at, one in enumerate(found):
        _show(one, every=notes)
        if csv is not None:
            _write(one, csv if not at else csv.with_stem(f"{csv.stem}_{at + 1}"))


def _show(one: Ahead, *, every: bool) -> None:
    """Print a row a session, then what there is to know, the weightiest first."""
    from hpi_bt.sources.chain_importance import by_importance

    print(f"{one.name}: {len(one.rows):,} snapshots, {'kept' if one.kept else 'computed'}\n")
    show_frame(_readable(one.table), _FORMATS)
    print()
    lines = by_importance((*one.notes, *one.flags))
    shown = lines if every else lines[:_MOST_LINES]
    for line in shown:
        print(f"- {line}")
    if len(lines) > len(shown):
        print(f"... {len(lines) - len(shown)} more with --notes")


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its amounts as text."""
    numbers = table.select_dtypes("float")
    names = [c for c in numbers if c in _AMOUNTS or numbers[c].abs().max() >= _LARGE]
    texts: dict[str, Any] = {str(c): [_amount(value) for value in table[c]] for c in names}
    return table.assign(**texts)


def _amount(value: float) -> str | None:
    """Return a number with three digits where it is below 100, else whole; None for NaN."""
    if math.isnan(value):
        return None
    small = 0.0 < abs(value) < _WHOLE
    places = 2 - math.floor(math.log10(abs(value))) if small else 0
    return f"{value:,.{places}f}".replace("-", "\N{MINUS SIGN}")


def _write(one: Ahead, path: Path) -> None:
    try:
        one.rows.to_csv(path)
    except OSError as error:
        reason = f"cannot be written ({error.strerror}); give another file"
        raise InputError(f"--csv {path}: {reason}") from None
    print(path)
