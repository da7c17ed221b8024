"""The command that studies signals against price."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpi_bt.cli.options import CacheDir, DataDir, Engine, Offline, Overrides, Results
from hpi_bt.cli.screen import Stages, show_frame
from hpi_bt.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from hpi_bt.stats.forward import Horizon
    from hpi_bt.studying import Signals

_FORMATS = {
    "n": "{:,.0f}", "mean": "{:+.3%}", "hit_rate": "{:.0%}", "effect": "{:+.3%}",
    "low": "{:+.3%}", "high": "{:+.3%}", "t": "{:+.2f}", "p_value": "{:.3f}",
    "q_value": "{:.3f}", "detectable": "{:.3%}",
}  # fmt: skip


def signals(
    target: Annotated[str, typer.Argument(metavar="CONFIG|RUN", help="A config, or a result.")],
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    data_dir: DataDir = None,
    cache_dir: CacheDir = None,
    results: Results = Path("results"),
    offline: Offline = False,
    engine: Engine = "auto",
    horizons: Annotated[
        str | None, typer.Option("--horizons", help="Bars ahead: 1,5,30,close.")
    ] = None,
    permutations: Annotated[
        int | None,
        typer.Option(
            "--permutations", min=99, help="Permutations of the sessions; p is at least 1/(1 + n)."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of the permutations.")] = None,
) -> None:
    """Study what followed each signal, against the same time of day without it: table and page."""
    from hpi_bt.studying import signals as study_signals

    with Stages() as stage:
        found = study_signals(
            target, overrides=overrides, data_dir=data_dir, cache_dir=cache_dir, results=results,
            offline=offline, engine=engine, horizons=_horizons(horizons),
            permutations=permutations, seed=seed, stage=stage,
        )  # fmt: skip
    show_signals(found)


def _horizons(text: str | None) -> tuple[Horizon, ...] | None:
    """Return the horizons that a text such as "1,5,close" lists."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",")]
    wrong = [w for w in words if not (w == "close" or (w.isdecimal() and int(w) > 0))]
    if wrong:
        raise InputError(
            f"--horizons {text}: {wrong[0]!r} is no number of bars; write 1,5,30,close"
        )
    return tuple("close" if w == "close" else int(w) for w in words)


def show_signals(found: Signals) -> None:
    """Print the table of every signal that had events, then what the study says in words."""
    from hpi_bt.stats.verdicts import verdict

    study = found.study
    seen = study.events[study.events["n"] > 0]
    for (signal, label), rows in seen.groupby(["signal", "label"], sort=False):
        print(f"{signal}: {label}{_lasting(rows)}")
        words = [verdict(row) for row in rows.to_dict("records")]
        show_frame(rows[["horizon", *_FORMATS]].assign(verdict=words), _FORMATS)
        print()
    show_conclusions(found)


def _lasting(rows: pd.DataFrame) -> str:
    """Return how often a signal came on, where n counts the bars on which it is on."""
    episodes = int(rows["episodes"].iloc[0])
    lasts = int(rows["n"].max()) > episodes
    return f" (n bars on, in {episodes:,} episode{'s' * (episodes != 1)})" if lasts else ""


def show_conclusions(found: Signals) -> None:
    """Print in words what a study found, what it could not say, and where its page lies."""
    from hpi_bt.stats.verdicts import conclusions

    names = ", ".join(str(r.summary["symbol"]) for r in found.results)
    demo = "  DEMO" if any(r.summary["demo"] for r in found.results) else ""
    print(f"Signals against price: {names}{demo}")
    for line in (*conclusions(found.study), *found.study.notes):
        print(f"- {line}")
    print(found.page)
