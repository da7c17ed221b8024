"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hpi_bt.errors import Wording

#: Arguments of the functions whose options have other names.
_RENAMED = {"select": "--sort", "template": "--from", "overrides": "-s"}
_OPTIONS = (
    *("as_of", "cache_dir", "data_dir", "engine", "jobs", "length", "max_points", "offline"),
    *("out", "results", "samples", "scheduler", "seed", "sort", "without_filter"),
)


def as_option(name: str, value: str) -> str:
    """Return an argument as the option that sets it; what sets no option is left as it is."""
    option = _RENAMED.get(name) or (f"--{name.replace('_', '-')}" if name in _OPTIONS else name)
    return f"{option} {value}" if value else option


#: How the command line spells the arguments that a refusal names.
COMMAND_LINE = Wording(as_option)

Overrides = Annotated[
    list[str],
    typer.Option("--set", "-s", help="Override a key: -s orders.stop.multiple=3 (repeatable)."),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the data files; else $HPI_BT_DATA.")
]
CacheDir = Annotated[Path | None, typer.Option("--cache-dir", help="Folder of downloaded data.")]
Results = Annotated[Path, typer.Option("--results", help="Where result folders appear.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use cached data only, no network.")]

Engine = Annotated[str, typer.Option("--engine", help="auto, fast or cerebro.")]
Samples = Annotated[int | None, typer.Option("--samples", help="Draw that many points at random.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the random points.")]
MaxPoints = Annotated[int, typer.Option("--max-points", help="Refuse more points.")]
Jobs = Annotated[int | None, typer.Option("--jobs", help="Threads or processes; else one a core.")]
Scheduler = Annotated[
    str | None, typer.Option("--scheduler", help="Dask scheduler, tcp://host:port.")
]
