"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
