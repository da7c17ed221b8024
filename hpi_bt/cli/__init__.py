"""The command line: arguments in, one function call, a short answer out."""

from __future__ import annotations

import gc
import json
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from hpi_bt.cli.chain import chain_command
from hpi_bt.cli.compare import compare_command
from hpi_bt.cli.fetch import fetch_app
from hpi_bt.cli.flow import flow_command
from hpi_bt.cli.gauge import gauge_command
from hpi_bt.cli.options import (
    COMMAND_LINE,
    CacheDir,
    DataDir,
    Engine,
    Offline,
    Overrides,
    Results,
)
from hpi_bt.cli.scan import scan_configs
from hpi_bt.cli.screen import Stages, show_run, show_table
from hpi_bt.cli.search import sweep, walk_forward
from hpi_bt.cli.study import show_conclusions, signals
from hpi_bt.errors import InputError, Stopped, shortened

app = typer.Typer(
    help="Backtests on options and futures positioning, in Backtrader.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Make, show and describe configs.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(fetch_app, name="fetch")
app.command()(sweep)
app.command()(walk_forward)
app.command("chain")(chain_command)
app.command("compare")(compare_command)
app.command()(signals)
app.command("scan")(scan_configs)
app.command("gauge")(gauge_command)
app.command("flow")(flow_command)


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
    engine: Engine = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead.")] = False,
) -> None:
    """Run backtests: a result folder, a tear sheet and a summary for each config."""
    from hpi_bt.studying import run_all

    failed = 0
    for config in configs:
        with Stages(quiet=as_json) as stage:
            try:
                done = run_all(
                    config,
                    overrides=overrides,
                    data_dir=data_dir,
                    cache_dir=cache_dir,
                    results=results,
                    offline=offline,
                    engine=engine,
                    stage=stage,
                )
            except InputError as error:
                if len(configs) == 1:
                    raise
                _complain(error.in_words(COMMAND_LINE), 2)
                failed += 1
                continue
        for result in done.results:
            if as_json:
                print(json.dumps(result.summary, indent=2, allow_nan=False))
            else:
                show_run(result)
        if done.pooled is not None and not as_json:
            show_conclusions(done.pooled)
        if done.note and not as_json:
            print(f"- {done.note}")
    if failed:
        raise typer.Exit(2)


@app.command("list")
def list_shipped(results: Results = Path("results")) -> None:
    """List the shipped configs and strategies, and the finished runs."""
    from hpi_bt.catalog import finished_runs, shipped_configs, shipped_strategies

    show_table("Configs (hpi-bt run NAME):", shipped_configs())
    show_table("Strategies (strategy.class in a config):", shipped_strategies())
    show_table(f"Finished runs in {results}:", finished_runs(results))


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    from hpi_bt.config import Config

    print(json.dumps(Config.model_json_schema(by_alias=True), indent=2))


@config_app.command("show")
def config_show(config: str, overrides: Overrides = []) -> None:  # noqa: B006
    """Print a config with every default filled in."""
    from hpi_bt.config import resolved_yaml
    from hpi_bt.frames import read_config

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
_LONGEST_LINE = 800  # characters of a complaint


def _complain(error: object, code: int) -> int:
    line = shortened(" ".join(str(error).split()), _LONGEST_LINE)
    if line:  # the help that a bare "hpi-bt" prints is no complaint
        print(f"hpi-bt: {line}", file=sys.stderr)
    return code


def main() -> None:
    """Run the command line; exit 0 ok, 1 run failed, 2 wrong input, 130 interrupted."""
    gc.set_threshold(50_000, 20, 20)  # importing libraries makes no garbage, but many objects
    try:
        code = app(standalone_mode=False, prog_name="hpi-bt")
        if code == _INTERRUPTED:  # typer has caught Ctrl-C itself
            raise KeyboardInterrupt
    except InputError as error:
        code = _complain(error.in_words(COMMAND_LINE), 2)
    except (Exception, KeyboardInterrupt) as error:  # a user's strategy may raise anything
        code = _complain(*_told(error))
    sys.stdout.flush()
    gc.freeze()  # else Python looks through all objects at exit, for most of a second
    sys.exit(code or 0)


def _told(error: BaseException) -> tuple[object, int]:
    """Return what to say of a failure, and the exit code."""
    # typer's own: an unknown option, a missing argument
    usage = getattr(error, "format_message", None)
    if usage is not None:
        return usage(), getattr(error, "exit_code", 2)
    if isinstance(error, Stopped):
        return error, _INTERRUPTED
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "stopped; the unfinished run has left nothing behind", _INTERRUPTED
    if isinstance(error, OSError) and error.filename is not None and not _users_frames(error):
        reason = f"cannot be used ({error.strerror or type(error).__name__})"
        return f"{shortened(str(error.filename))}: {reason}; give another file or folder", 2
    return _failure(error), 1


def _users_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return where in a user's own code an error arose, outermost first."""
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    return [frame for frame in frames if _is_users(frame.filename)]


def _failure(error: BaseException) -> str:
    """Return in one line what failed and where; HPI_BT_DEBUG=1 shows the whole traceback."""
    import os

    if os.environ.get("HPI_BT_DEBUG"):
        traceback.print_exception(error)
    frames = traceback.extract_tb((error.__cause__ or error).__traceback__)
    last = (_users_frames(error) or list(frames))[-1:]
    where = "".join(f" ({Path(f.filename).name}, line {f.lineno})" for f in last)
    kind = type(error).__name__
    return f"the run failed: {kind}: {error}{where}; HPI_BT_DEBUG=1 shows the traceback"


def _is_users(file: str) -> bool:
    """Return whether a source file is no part of Python, of a library or of this package."""
    import sysconfig

    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib")]
    return not file.startswith(("<", str(Path(__file__).parents[1]), *libraries))


if __name__ == "__main__":
    main()
