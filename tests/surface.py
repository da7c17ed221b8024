"""The public surface as text: commands, names, signatures, and what files of results hold.

`python tests/surface.py` writes it to surface.txt; `test_public_surface.py` compares. Keys of
configs are not in it: configs/schema.json holds them.
"""

from __future__ import annotations

import inspect
import json
import pkgutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import chdir
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
from typer.main import get_command

import hpi_bt as hb
from gauge_market import write_market
from hpi_bt.backtest.strict_json import json_safe
from small_chains import contracts, saved
from small_runs import workshop

FILE = Path(__file__).with_name("surface.txt")
INNER = ("stats", "options", "gauge", "indicators", "strategy")
PACKAGES = ("hpi_bt", *(f"hpi_bt.{name}" for name in INNER))
SHELLS = ("--install-completion", "--show-completion")  # typer's own, where it knows the shell
SWEEP = {
    "name": "sweep",
    "data": {
        "source": {"kind": "demo", "symbol": "IWM", "sessions": 12, "bar": "30min", "seed": 3},
        "calendar": "XNYS",
    },
    "strategy": {
        "class": "strategies/flow_bias.py:FlowBias",
        "params": {"scale": "standard", "smoothing": 5, "zscore_lookback": 20},
    },
    "sweep": {"smoothing": [3, 5]},
    "walk_forward": {"train": 6, "test": 2},
    "study": {"permutations": 99},
}


def surface() -> str:
    """Return all of it, a heading and indented lines for each part."""
    parts = [*_commands(), *_names(), *_kernels(), *_results()]
    return "\n".join("\n    ".join([head, *lines]) + "\n" for head, lines in parts)


def _commands() -> Iterator[tuple[str, list[str]]]:
    """Each command with its arguments and options."""
    from hpi_bt.cli import app

    def walk(name: str, command: Any) -> Iterator[tuple[str, list[str]]]:
        yield name, [_option(one) for one in command.params if one.opts[0] not in SHELLS]
        for word, inner in sorted(getattr(command, "commands", {}).items()):
            yield from walk(f"{name} {word}", inner)

    return walk("hpi-bt", get_command(app))


def _option(one: Any) -> str:
    """Return `--top = 10`, or `CONFIG... (required)` for an argument."""
    words = ", ".join([*one.opts, *one.secondary_opts])
    named = words if words.startswith("-") else one.metavar or words.upper()
    silent = one.default is None or isinstance(one.default, bool) or one.default in ([], ())
    marks = (" (required)" if one.required else "", " (repeatable)" if one.multiple else "")
    return "".join([named, *marks, "" if silent else f" = {one.default}"])


def _names() -> Iterator[tuple[str, list[str]]]:
    """Each package's public names."""
    for package in PACKAGES:
        module = import_module(package)
        yield package, [_described(name, getattr(module, name)) for name in sorted(module.__all__)]


def _kernels() -> Iterator[tuple[str, list[str]]]:
    """Each module of kernels with the public names that it defines."""
    folder = import_module("hpi_bt.kernels").__path__
    for info in pkgutil.iter_modules(folder, "hpi_bt.kernels."):
        own = vars(import_module(info.name)).items()
        made = {n: v for n, v in own if getattr(v, "__module__", "") == info.name and n[0] != "_"}
        yield info.name, [_described(name, made[name]) for name in sorted(made)]


def _described(name: str, value: Any) -> str:
    """Return a name with a function's parameters, or a class's fields, lines, params, methods."""
    if inspect.isfunction(value):
        plain = [_plain(one) for one in inspect.signature(value).parameters.values()]
        return f"{name}{inspect.Signature(plain)}"
    if not inspect.isclass(value):
        return name
    fields = getattr(value, "__dataclass_fields__", None) or getattr(value, "_fields", ())
    lines = getattr(getattr(value, "lines", None), "_getlines", tuple)()
    params = getattr(getattr(value, "params", None), "_getkeys", tuple)()
    parts = {"fields": fields, "lines": lines, "params": params, "methods": _methods(value)}
    return name + "".join(f"; {w}: {', '.join(map(str, of))}" for w, of in parts.items() if of)


class _Named:
    """A function as it is written."""

    def __init__(self, function: Any) -> None:
        self.name = function.__name__

    def __repr__(self) -> str:
        return self.name


def _plain(one: inspect.Parameter) -> inspect.Parameter:
    """Return a parameter without its type; a default that is a function by its name."""
    default = _Named(one.default) if inspect.isfunction(one.default) else one.default
    return one.replace(annotation=inspect.Parameter.empty, default=default)


def _methods(value: type) -> list[str]:
    """Return the public methods and properties that hpi_bt adds to what a library's class has."""
    ours = [c for c in value.__mro__ if c.__module__.startswith("hpi_bt")]
    others = {name for c in value.__mro__ if c not in ours for name in vars(c)}
    kinds = (property, cached_property, classmethod, staticmethod)
    return sorted(
        name
        for name in {name for c in ours for name in vars(c)} - others
        if not name.startswith("_")
        for one in [inspect.getattr_static(value, name)]
        if inspect.isfunction(one) or isinstance(one, kinds)
    )


def _results() -> Iterator[tuple[str, list[str]]]:
    """The files of each kind of result folder, with keys and columns, and what --json prints."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        here = workshop(Path(folder))
        run = hb.run("small.yaml", overrides=["study.permutations=99"])
        yield "result folder of run", _files(run.folder)
        yield "result folder of sweep", _files(hb.sweep(SWEEP, jobs=1).folder)
        yield "result folder of walk-forward", _files(hb.walk_forward(SWEEP, jobs=1).folder)
        other = hb.run("small.yaml", overrides=["strategy.params.size=5", "study.enabled=false"])
        both = hb.compare([run.folder, other.folder], names=["RUN", "RUN 2"])
        compared = [line.replace("RUN 2", "RUN") for line in _files(both.folder)]
        yield "result folder of compare", list(dict.fromkeys(compared))
        symbols = SWEEP | {"symbols": ["IWM", "SPY"]}
        yield "result folder of signals", _files(hb.signals(symbols).page.parent)
        quotes = saved(here, contracts(calls=260.0))
        chain = hb.chain_report(quotes, futures={"ES": 1000.0}, betas={"ES": 1.0})
        yield "chain --json", _keys(chain.summary)
        gauge = hb.gauge_report(data_dir=write_market(here / "market"), as_of="2023-06-01")
        yield "gauge --json", _keys(json_safe(gauge.as_dict()))


def _files(folder: Path) -> list[str]:
    """Return the names of files, each followed by its keys or columns where it has some."""
    lines = []
    for path in sorted(folder.rglob("*")):
        lines += [str(path.relative_to(folder)), *(f"    {one}" for one in _contents(path))]
    return lines


def _contents(path: Path) -> list[str]:
    if path.suffix == ".json":
        return _keys(json.loads(path.read_text("utf-8")))
    if path.suffix == ".csv":
        return [str(name) for name in pd.read_csv(path, nrows=0)]
    return [str(name) for name in pd.read_parquet(path)] if path.suffix == ".parquet" else []


def _keys(value: Any, above: str = "") -> list[str]:
    """Return the dotted keys of nested mappings, `[]` for the entries of a list."""
    if isinstance(value, Mapping):
        parts = [_keys(one, f"{above}.{key}" if above else str(key)) for key, one in value.items()]
    else:
        entries = value if isinstance(value, list) else []
        parts = [_keys(one, f"{above}[]") for one in entries if isinstance(one, Mapping)]
    return sorted({line for part in parts for line in part}) or [above] * bool(above)


if __name__ == "__main__":
    FILE.write_text(surface(), "utf-8")
    print(FILE)
