"""The commands that try many parameters: `sweep` and `walk-forward`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpi_bt.cli.options import (
    CacheDir,
    DataDir,
    Engine,
    Jobs,
    MaxPoints,
    Offline,
    Overrides,
    Results,
    Samples,
    Scheduler,
    Seed,
)
from hpi_bt.cli.screen import Stages, show_frame, show_run, show_table
from hpi_bt.errors import Stopped

if TYPE_CHECKING:
    import pandas as pd

_FORMATS = {
    "sharpe": "{:.2f}", "total_return": "{:.2%}", "max_drawdown": "{:.2%}", "trades": "{:.0f}",
    "win_rate": "{:.1%}", "exposure": "{:.1%}", "costs": "{:,.0f}", "sortino": "{:.2f}",
    "calmar": "{:.2f}", "cagr": "{:.2%}", "volatility": "{:.2%}", "in_sample": "{:.2f}",
    "out_of_sample_sharpe": "{:.2f}", "out_of_sample_return": "{:.2%}", "share": "{:.0%}",
    "out_of_sample_rank": "{:.0%}",
}  # fmt: skip


@contextmanager
def _interruptible(results: Path, kind: str) -> Iterator[None]:
    """Say after Ctrl-C that what is done is kept, where anything is."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        if not any(results.expanduser().glob(f".{kind}-*/**/part-*.npz")):
            raise
        raise Stopped(
            f"stopped; the points done are kept in {results}, the same command goes on from there"
        ) from None


def sweep(
    config: Annotated[str, typer.Argument(help="A config with a sweep section.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    results: Results = Path("results"),
    offline: Offline = False,
    engine: Engine = "auto",
    samples: Samples = None,
    seed: Seed = 0,
    max_points: MaxPoints = 100_000,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
    sort: Annotated[str, typer.Option("--sort", help="Figure to choose by.")] = "sharpe",
    top: Annotated[int, typer.Option("--top", help="Rows to print.")] = 10,
) -> None:
    """Run every point of a config's sweep: a table, a heat map and measures of overfitting."""
    from hpi_bt.searches import sweep as run_sweep

    with _interruptible(results, "sweep"), Stages() as stage:
        result = run_sweep(
            config, overrides=overrides, data_dir=data_dir, cache_dir=cache_dir, results=results,
            offline=offline, engine=engine, samples=samples, seed=seed, max_points=max_points,
            jobs=jobs, scheduler=scheduler, select=sort,
            count=lambda done, total: stage("sweep", done / total),
        )  # fmt: skip
    _show_sweep(result, sort, top)


def _show_sweep(result: Any, sort: str, top: int) -> None:
    from hpi_bt.report.heatmap import facts_of, trade_count

    s = result.summary
    demo = "  DEMO" if s["demo"] else ""
    print(
        f"{s['name']}: {s['points']:,} points on {s['symbol']}, {s['sessions']} sessions, "
        f"engine {s['engine']}, {s['seconds']:.2f} s{demo}\n"
    )
    figures = ["sharpe", "total_return", "max_drawdown", "trades", "win_rate", "costs"]
    shown = [sort, *(name for name in figures if name != sort)]
    table = result.table.head(top)
    table = table.assign(trades=[trade_count(row) for row in table.to_dict("records")])
    columns = [*s["best"], *shown, *(["error"] if s["failed"] else [])]
    show_frame(table[columns], _FORMATS | {"trades": "{}"})
    print()
    show_table("The best row, and what it must be read with (all in sample):", facts_of(s))
    for note in s["remarks"]:
        print(f"- {note}")
    print(result.folder / "heatmap.html")


def walk_forward(
    config: Annotated[str, typer.Argument(help="A config with sweep and walk_forward sections.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    results: Results = Path("results"),
    offline: Offline = False,
    engine: Engine = "auto",
    samples: Samples = None,
    seed: Seed = 0,
    max_points: MaxPoints = 100_000,
    jobs: Jobs = None,
    scheduler: Scheduler = None,
) -> None:
    """Choose parameters on one window and trade them on the next: one out-of-sample run."""
    from hpi_bt.walking import walk_forward as walk

    with _interruptible(results, "walk-forward"), Stages() as stage:
        result = walk(
            config, overrides=overrides, data_dir=data_dir, cache_dir=cache_dir, results=results,
            offline=offline, engine=engine, samples=samples, seed=seed, max_points=max_points,
            jobs=jobs, scheduler=scheduler,
            count=lambda done, total: stage("windows", done / total),
        )  # fmt: skip
    s = result.summary
    print(f"{s['windows']} windows, {s['points']:,} points each, chosen by {s['select']}\n")
    show_frame(_read(result.folder / "windows.csv"), _FORMATS)
    print("\nHow stable the choice was:")
    show_frame(_read(result.folder / "stability.csv").drop(columns="values"), _FORMATS)
    never = s["windows_never_lost"]
    unbeaten = f" (never lost in {never} of {s['windows']} windows)" if never else ""
    print(
        f"\nIn sample {s['select']} {_number(s['in_sample_mean'])} on average{unbeaten}, out of "
        f"sample Sharpe {_number(s['out_of_sample_sharpe_mean'])}; rank of the chosen point among "
        f"the others {_number(s['out_of_sample_rank_mean'], '{:.0%}')} (luck alone: 50%)\n"
    )
    show_run(result)


def _read(path: Path) -> pd.DataFrame:
    """Return a table with None where it is blank, whole numbers whole."""
    import pandas as pd

    table = pd.read_csv(path, dtype_backend="numpy_nullable")
    return table.astype(object).where(table.notna(), None)


def _number(value: float | None, form: str = "{:.2f}") -> str:
    return "n/a" if value is None else form.format(value).replace("-", "\N{MINUS SIGN}")
