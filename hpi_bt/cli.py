"""The command line: arguments in, one function call, a short answer out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hpi_bt.errors import InputError

if TYPE_CHECKING:
    from hpi_bt.backtest.result import Result

app = typer.Typer(
    help="Backtests on options and futures positioning, in Backtrader.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Make, show and describe configs.", no_args_is_help=True)
app.add_typer(config_app, name="config")

Overrides = Annotated[
    list[str],
    typer.Option("--set", "-s", help="Override a key: -s orders.stop.multiple=3 (repeatable)."),
]
DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of the data files [env: HPI_BT_DATA].")
]
CacheDir = Annotated[Path | None, typer.Option("--cache-dir", help="Folder of downloaded data.")]
Results = Annotated[Path, typer.Option("--results", help="Where result folders appear.")]
Offline = Annotated[bool, typer.Option("--offline", help="Use cached data only, no network.")]


def _version(wanted: bool) -> None:
    if wanted:
        from hpi_bt import __version__

        print(f"hpi-bt {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Backtests on options and futures positioning, in Backtrader."""


@app.command()
def run(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG...", help="YAML configs.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    results: Results = Path("results"),
    offline: Offline = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead.")] = False,
) -> None:
    """Run backtests: a result folder, a tear sheet and a summary for each config."""
    from hpi_bt.runs import run as run_config

    failed = 0
    for config in configs:
        with _stages(quiet=as_json) as stage:
            try:
                result = run_config(
                    config,
                    overrides=overrides,
                    data_dir=data_dir,
                    cache_dir=cache_dir,
                    results=results,
                    offline=offline,
                    stage=stage,
                )
            except InputError as error:
                if len(configs) == 1:
                    raise
                _complain(error, 2)
                failed += 1
                continue
        if as_json:
            print(json.dumps(result.summary, indent=2, allow_nan=False))
        else:
            _show(result)
    if failed:
        raise typer.Exit(2)


class _stages:  # noqa: N801 - used as a context manager alone
    """A progress bar on standard error that appears for whatever takes over two seconds."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet or not sys.stderr.isatty()

    def __enter__(self) -> Callable[[str, float], None]:
        from time import monotonic

        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar: Any = nullcontext()
        if self._quiet:
            return lambda _what, _share: None
        columns = (TextColumn("{task.description:<10}"), BarColumn(), TimeElapsedColumn())
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        task = progress.add_task("", total=1.0)
        self._bar, begun, shown = progress, monotonic(), False

        def stage(what: str, share: float) -> None:
            nonlocal shown
            if not shown and (monotonic() - begun > 2.0 or what in ("backtest", "report")):
                progress.start()
                shown = True
            progress.update(task, description=what, completed=share)

        return stage

    def __exit__(self, *_: object) -> None:
        if hasattr(self._bar, "stop"):
            self._bar.stop()


def _show(result: Result) -> None:
    """Print the main figures in aligned columns, then what the indicators noticed."""
    from rich.console import Console
    from rich.text import Text

    from hpi_bt.stats.summary import figures

    s = result.summary
    console = Console(highlight=False, soft_wrap=True)
    width = min(console.width, 120)
    console.print(Text(f"{s['name']}: {s['strategy']} on {s['symbol'] or 'its data'}", "bold"))
    if s["demo"]:
        console.print(Text(f"DEMO: {s['demo']}", "bold yellow"))
    console.print(
        f"{s['first'][:10]} to {s['last'][:10]}, {s['sessions']:,} sessions, {s['bars']:,} bars, "
        f"engine {s['engine']}\n"
    )
    rows = figures(s)
    if any(row.benchmark for row in rows):
        console.print(Text(f"{'':<16}{'Strategy':>14}{'Buy and hold':>15}", "dim"))
    for row in rows:
        figure = f"{row.label:<16}{row.value:>14}"
        if row.benchmark:
            console.print(f"{figure}{row.benchmark:>15}")
        else:
            console.print(_hanging(f"{figure}   ", row.note, width))
    console.print()
    for line in (*s["remarks"], *s["notes"]):
        style = "yellow" if line.startswith("warning") else ""
        console.print(Text(_hanging("- ", line, width), style))
    console.print(Text(f"{result.folder / 'tearsheet.html'}"))


def _hanging(head: str, text: str, width: int) -> str:
    """Return `head` and `text`, further lines of which stand beneath its first."""
    import textwrap

    lines = textwrap.wrap(text, max(width - len(head), 20), break_long_words=False)
    return (head + f"\n{'':<{len(head)}}".join(lines)).rstrip()


@app.command("list")
def list_shipped(results: Results = Path("results")) -> None:
    """List the shipped configs and strategies, and the finished runs."""
    from hpi_bt.catalog import finished_runs, shipped_configs, shipped_strategies

    _table("Configs (hpi-bt run NAME):", shipped_configs())
    _table("Strategies (strategy.class in a config):", shipped_strategies())
    _table(f"Finished runs in {results}:", finished_runs(results))


def _table(head: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        width = max(len(name) for name, _ in rows)
        print(head, *(f"  {name:<{width}}  {about}".rstrip() for name, about in rows), sep="\n")


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    from hpi_bt.config import Config

    print(json.dumps(Config.model_json_schema(by_alias=True), indent=2))


@config_app.command("show")
def config_show(config: str, overrides: Overrides = []) -> None:  # noqa: B006
    """Print a config with every default filled in."""
    from hpi_bt.config import resolved_yaml
    from hpi_bt.runs import read_config

    print(resolved_yaml(read_config(config, overrides)[0]), end="")


@config_app.command("new")
def config_new(
    path: Annotated[Path, typer.Argument(help="The config to write.")] = Path("my_run.yaml"),
    template: Annotated[str, typer.Option("--from", help="Shipped config to start from.")] = "demo",
) -> None:
    """Write a config and a strategy file that run, to edit."""
    from hpi_bt.catalog import new_config

    for written in new_config(path, template):
        print(f"wrote {written}")
    print(f"run it: hpi-bt run {path}")


_INTERRUPTED = 130


def _complain(error: object, code: int) -> int:
    line = " ".join(str(error).split())
    if line:  # the help that a bare "hpi-bt" prints is no complaint
        print(f"hpi-bt: {line}", file=sys.stderr)
    return code


def main() -> None:
    """Run the command line; exit 0 ok, 1 run failed, 2 wrong input, 130 interrupted."""
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:  # typer has caught Ctrl-C itself
            raise KeyboardInterrupt
    except InputError as error:
        code = _complain(error, 2)
    except (Exception, KeyboardInterrupt) as error:  # a user's strategy may raise anything
        code = _complain(*_told(error))
    sys.stdout.flush()
    sys.exit(code or 0)


def _told(error: BaseException) -> tuple[object, int]:
    """Return what to say of a failure, and the exit code."""
    usage = getattr(
        error, "format_message", None
    )  # of typer: an unknown option, a missing argument
    if usage is not None:
        return usage(), getattr(error, "exit_code", 2)
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "stopped; the unfinished run has left nothing behind", _INTERRUPTED
    return _failure(error), 1


def _failure(error: BaseException) -> str:
    """Return in one line what failed and where; HPI_BT_DEBUG=1 shows the whole traceback."""
    import os
    import traceback

    if os.environ.get("HPI_BT_DEBUG"):
        traceback.print_exception(error)
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    theirs = [f for f in frames if _is_users(f.filename)]
    last = (theirs or list(frames))[-1:]
    where = "".join(f" ({Path(f.filename).name}, line {f.lineno})" for f in last)
    kind = type(error).__name__
    return f"the run failed: {kind}: {error}{where}; HPI_BT_DEBUG=1 shows the traceback"


def _is_users(file: str) -> bool:
    """Return whether a source file is no part of Python, of a library or of this package."""
    import sysconfig

    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib")]
    return not file.startswith(("<", str(Path(__file__).parent), *libraries))


if __name__ == "__main__":
    main()
