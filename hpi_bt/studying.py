"""Signals against price: `hpi_bt.signals(config or run)`, of one symbol or of several as one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml
from pydantic import ValidationError

from hpi_bt.backtest.result import Result, whole_folder, write_json
from hpi_bt.config import Config, Study, configs_of, resolved_yaml
from hpi_bt.config.loader import load_yaml
from hpi_bt.errors import InputError, shortened
from hpi_bt.frames import Stage, locations, no_stage, read_config
from hpi_bt.report.folder import caveats, folder_name
from hpi_bt.report.index import update_index
from hpi_bt.report.signals import write_signals
from hpi_bt.report.study import study_files, write_study
from hpi_bt.runs import run_model
from hpi_bt.sources.base import Locations
from hpi_bt.sources.paths import user_path
from hpi_bt.stats.forward import Horizon
from hpi_bt.stats.study import SignalStudy, Subject, signal_study
from hpi_bt.stats.verdicts import conclusions


@dataclass(frozen=True)
class Signals:
    """What followed the signals of one run, or of several together.

    Attributes
    ----------
    results : tuple of Result
        The runs.
    study : SignalStudy
        Event study, deciles, information coefficients and entry tests.
    page : Path
        The signal page of the run, or the page of the pooled study.
    """

    results: tuple[Result, ...]
    study: SignalStudy
    page: Path

    def __repr__(self) -> str:
        """Return what was studied and where the page lies."""
        symbols = ", ".join(str(r.summary["symbol"]) for r in self.results)
        return f"<Signals of {symbols}: {len(self.study.events)} cells; {self.page}>"


class Runs(NamedTuple):
    """The runs of a config, and the study of all together where it names several symbols."""

    results: tuple[Result, ...]
    pooled: Signals | None
    note: str = ""
    """Why several symbols have no pooled study, "" where they have one or were not to."""


def run_all(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    results: str | Path = "results",
    offline: bool = False,
    cache_dir: str | Path | None = None,
    engine: str = "auto",
    stage: Stage = no_stage,
) -> Runs:
    """Return the run of each symbol of a config and their pooled study; as `hpi_bt.run`.

    A config without `symbols` is one run, and nothing is pooled.
    """
    model, path = read_config(config, overrides)
    where = locations(path, data_dir, offline, cache_dir)
    done = _run_each(model, path, where, results, engine, stage)
    if not (model.symbols and model.study.enabled):
        return Runs(tuple(done), None)
    if not any(json.loads((one.folder / "panes.json").read_text("utf-8")) for one in done):
        return Runs(tuple(done), None, _NO_SIGNAL)
    try:
        return Runs(tuple(done), _pooled(done, model, user_path(results, "results")))
    except InputError as error:
        if model.study.horizons and str(error).startswith("horizons"):
            raise
        return Runs(tuple(done), None, f"signals were not studied together: {error}")


_NO_SIGNAL = (
    "no signal is declared, so there is no study of the symbols together; name indicators under "
    "`shows`, or make them in __init__"
)


def _run_each(
    model: Config,
    path: Path | None,
    where: Locations,
    results: str | Path,
    engine: str,
    stage: Stage,
) -> list[Result]:
    models = configs_of(model)
    found = []
    for at, one in enumerate(models):

        def part(what: str, share: float, at: int = at) -> None:
            stage(what, (at + share) / len(models))

        found.append(run_model(one, path, where, results, engine=engine, stage=part))
    return found


def signals(
    target: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    results: str | Path = "results",
    offline: bool = False,
    cache_dir: str | Path | None = None,
    engine: str = "auto",
    horizons: Sequence[Horizon] | None = None,
    permutations: int | None = None,
    seed: int | None = None,
    stage: Stage = no_stage,
) -> Signals:
    """Return the study of a config's or a finished run's signals, its page written.

    Parameters
    ----------
    target : path, mapping or Config
        A config, which is run first, or a result folder, whose page and tables are made anew. A
        config with `symbols` gives a run each and one pooled study in a folder of its own.
    overrides, data_dir, results, offline, cache_dir, engine, stage
        As in `hpi_bt.run`; none of them but `results` applies to a result folder.
    horizons : sequence of int or "close", optional
        Bars ahead; those of the config by default.
    permutations, seed : int, optional
        Those of the config by default.

    Raises
    ------
    InputError
        Anything wrong with config, data or strategy, a folder that holds no run or no signals, or
        a horizon longer than the data.
    """
    asked = {"horizons": horizons, "permutations": permutations, "seed": seed}
    changed = {k: v for k, v in asked.items() if v is not None}
    parent = user_path(results, "results")
    folder = _run_folder(target, parent)
    if folder is not None:
        if list(overrides):
            raise InputError(
                f"{target} is a finished run",
                field="overrides",
                remedy="give its config to change settings",
            )
        return _redrawn(Result(folder), changed)
    model, path = read_config(target, overrides)
    rules = _rules(model.study.model_dump() | changed)
    model = model.model_copy(update={"study": rules})
    where = locations(path, data_dir, offline, cache_dir)
    done = _run_each(model, path, where, results, engine, stage)
    if model.symbols:
        return _pooled(done, model, parent)
    return Signals(tuple(done), _study(done, rules), done[0].folder / "chart.html")


def _rules(values: Mapping[str, Any]) -> Study:
    try:
        return Study.model_validate({**values, "enabled": True})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"][:1]))
        raise InputError(f"{where}: {first['input']!r}; {first['msg']}") from None


def _study(results: Sequence[Result], rules: Study) -> SignalStudy:
    return signal_study(
        [subject_of(one) for one in results],
        horizons=rules.horizons,
        permutations=rules.permutations,
        seed=rules.seed,
    )


def _pooled(results: Sequence[Result], model: Config, parent: Path) -> Signals:
    """Return the study of several symbols as one, its folder written."""
    study = _study(results, model.study)
    return Signals(tuple(results), study, _write_pooled(results, study, model, parent))


def _run_folder(target: Any, parent: Path) -> Path | None:
    """Return the result folder that `target` names, None where it is a config."""
    if not isinstance(target, str | Path):
        return None
    for folder in (Path(target), parent / target):
        if (folder / "summary.json").is_file():
            return folder
        if folder.is_dir():
            raise InputError(
                f"{target}: holds no summary.json, so it is no result folder; "
                "`hpi-bt list` shows the finished runs"
            )
    return None


def subject_of(result: Result) -> Subject:
    """Return what the study needs of a finished run.

    Raises
    ------
    InputError
        The folder holds no signals, or its files are damaged.
    """
    folder = result.folder
    for name in ("summary.json", "panes.json", "signals.parquet", "trades.csv", "equity.parquet"):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: no {name}; give the folder of a run (hpi-bt run)")
    try:
        panes = json.loads((folder / "panes.json").read_text("utf-8"))
        bars, trades, account = result.signals, result.trades, result.equity
        symbol = str(result.summary["symbol"])
        year = round(float(result.summary.get("sessions_per_year", 252)))
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{folder}: damaged ({reason}); run its config again") from None
    if not panes:
        raise InputError(
            f"{folder}: the run has no signals, its strategy shows no indicator; name some under "
            "`shows`, or make them in __init__"
        )
    return Subject(symbol, bars, panes, trades, account, year)


def _redrawn(result: Result, changed: Mapping[str, Any]) -> Signals:
    """Return the study of a finished run, its page and tables written anew."""
    subject, summary = subject_of(result), result.summary
    try:
        kept = load_yaml((result.folder / "config.yaml").read_text("utf-8"))
        style = kept.get("chart") or {}
        banner = [(str(what), str(how)) for what, how in summary["assumptions"]]
        vetoes = pd.read_csv(result.folder / "vetoed.csv", parse_dates=["time"])
        rules = {**(kept.get("study") or {}), **changed}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError) as error:
        reason = shortened(" ".join(str(error).split()), 120)
        raise InputError(f"{result.folder}: damaged ({reason}); run its config again") from None
    study = _study([result], _rules(rules))

    def chart(path: Path) -> None:
        write_signals(
            path,
            subject.bars,
            subject.panes,
            result.trades,
            title=str(summary["name"]),
            banner=[*banner, *caveats(summary, warnings_only=True)],
            demo=str(summary["demo"]),
            vetoes=vetoes,
            style=style,
            symbol=subject.symbol,
            study=study,
        )

    def told(path: Path) -> None:
        write_json(path, summary | {"study": conclusions(study)})

    _replace(result.folder, {"chart.html": chart, **study_files(study), "summary.json": told})
    return Signals((Result(result.folder),), study, result.folder / "chart.html")


def _replace(folder: Path, files: Mapping[str, Callable[[Path], None]]) -> None:
    """Write files beside their places, then move them there: if one fails, none has changed."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as beside:
        for name, write in files.items():
            write(Path(beside) / name)
        for name in files:
            (Path(beside) / name).replace(folder / name)


def _write_pooled(
    results: Sequence[Result], study: SignalStudy, model: Config, parent: Path
) -> Path:
    """Write the folder of a pooled study and return its page."""
    made = datetime.now(UTC)
    symbols = [str(r.summary["symbol"]) for r in results]
    config = resolved_yaml(model)
    demo = next((str(r.summary["demo"]) for r in results if r.summary["demo"]), "")
    banner = [("Symbols", ", ".join(symbols)), *map(tuple, results[0].summary["assumptions"])]
    name = f"{model.name} signals"
    digest = hashlib.sha1(
        (config + "".join(r.folder.name for r in results)).encode(), usedforsecurity=False
    ).hexdigest()
    folder = folder_name(name, digest, made)
    summary = {
        "kind": "study",
        "name": name,
        "symbols": symbols,
        "runs": [r.folder.name for r in results],
        "demo": demo,
        "made_at": made.isoformat(timespec="seconds"),
        "first": min(str(r.summary["first"]) for r in results),
        "last": max(str(r.summary["last"]) for r in results),
        "notes": list(study.notes),
    }
    with whole_folder(parent, folder) as draft:
        inside = draft.partial
        (inside / "config.yaml").write_text(config, "utf-8")
        write_json(inside / "summary.json", summary)
        for file, write in study_files(study).items():
            write(inside / file)
        write_study(inside / "study.html", study, title=name, banner=banner, demo=demo)
    update_index(parent)
    return draft.folder / "study.html"
