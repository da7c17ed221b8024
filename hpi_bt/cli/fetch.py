"""`hpi-bt fetch ...`: downloads into the cache, one command for each family of sources."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

import typer

from hpi_bt.cli.options import CacheDir, Offline

fetch_app = typer.Typer(help="Download data into the cache.", no_args_is_help=True)

Since = Annotated[
    datetime | None,
    typer.Option(
        "--since", formats=["%Y-%m-%d"], help="Go back to that date (default: as far as needed)."
    ),
]


@fetch_app.callback()
def _root() -> None:
    """Download data into the cache."""


@fetch_app.command("gauge")
def fetch_gauge_inputs(
    only: Annotated[
        list[str], typer.Option("--only", help="Fetch that feed alone (repeatable).")
    ] = [],  # noqa: B006 - typer copies it
    since: Since = None,
    cache_dir: CacheDir = None,
    offline: Offline = False,
) -> None:
    """Fetch the Hedge Pressure Gauge's inputs; exit code 2 where one is left without a source.

    The put/call ratio and the high-yield spread may fail, unless --only names them.
    """
    from hpi_bt.sources.base import Locations
    from hpi_bt.sources.gauge_data.feeds import FEEDS
    from hpi_bt.sources.gauge_data.fetch import FAILED, fetch_gauge
    from hpi_bt.sources.paths import user_path

    where = Locations(offline=offline)
    if cache_dir is not None:
        where = replace(where, cache=user_path(cache_dir, "--cache-dir"))
    table = fetch_gauge(where, which=only or None, since=since.date() if since else None)
    loud = {"failed": "FAILED", "missing": "MISSING"}
    width = max(len(str(feed)) for feed in table.index)
    for feed, row in table.iterrows():
        status = loud.get(row["status"], row["status"])
        print(f"{feed!s:<{width}}  {status:<8}  {_span(row)}".rstrip())
        for note in row["notes"]:
            print(f"{'':<{width}}  {note}")
    print(f"in {where.cache}")
    wanted = [
        FEEDS[str(feed)].spare_of not in table.index and (feed in only or not FEEDS[feed].optional)
        for feed in map(str, table.index)
    ]
    if table.loc[wanted, "status"].isin(FAILED).any():
        raise typer.Exit(2)


def _span(row: Any) -> str:
    if not row["rows"]:
        return ""
    new = f", {row['new']:,} new" if row["new"] else ""
    return f"{row['rows']:>6,} rows {row['first']:%Y-%m-%d} to {row['last']:%Y-%m-%d}{new}"
