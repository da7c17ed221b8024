"""The features of a config computed ahead of its runs: `hpi_bt.flow(config)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hpi_bt.config import Config, configs_of
from hpi_bt.errors import InputError
from hpi_bt.features.ahead import Ahead
from hpi_bt.frames import Stage, locations, no_stage, read_config


def flow(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
    stage: Stage = no_stage,
) -> list[Ahead]:
    """Return the features of a config, computed and kept, so that its runs need not.

    Parameters
    ----------
    config, overrides, data_dir, offline, cache_dir
        As in `hpi_bt.run`; a config with `symbols` gives those of each.
    stage : callable, optional
        Called with (which snapshot, share done) as it goes on.

    Raises
    ------
    InputError
        The config has no feature that can be computed ahead, or anything is wrong with its files.
    """
    model, path = read_config(config, overrides)
    where = locations(path, data_dir, offline, cache_dir)
    tasks = [
        (ahead, one.data)
        for one in configs_of(model)
        for feature in one.features
        if (ahead := getattr(feature, "ahead", None)) is not None
    ]
    if not tasks:
        raise InputError(
            f"{model.name}: nothing to compute ahead; add `features: [{{kind: hedge_flow, ...}}]`"
        )
    found = []
    for at, (ahead, data) in enumerate(tasks):

        def progress(done: int, of: int, at: int = at) -> None:
            stage(f"{done} of {of}", (at + done / of) / len(tasks))

        found.append(ahead(where, data.calendar, splits=data.splits, progress=progress))
    return found
