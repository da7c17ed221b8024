"""From a config to its bars: where the config is, where its files lie, and the frame they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hpi_bt.config import Config, Data, overridden, read_mapping, validated
from hpi_bt.errors import InputError, Note, Severity, shortened
from hpi_bt.features.underlying import BARS_SYMBOL
from hpi_bt.kernels.pressure import demo_flow
from hpi_bt.loading import shipped
from hpi_bt.sources.bar_plausibility import implausible
from hpi_bt.sources.bars import OI_COLUMNS
from hpi_bt.sources.base import Locations
from hpi_bt.sources.build import build_frame
from hpi_bt.sources.files import FileSource
from hpi_bt.sources.frame import WARM_UP, traded
from hpi_bt.sources.hours import add_notes, counted
from hpi_bt.sources.missing import missing_notes
from hpi_bt.sources.option_snapshots import OptionSnapshotsSource
from hpi_bt.sources.paths import user_path

Stage = Callable[[str, float], None]


def no_stage(_: str, __: float) -> None:
    """Show no progress."""


def read_config(
    config: str | Path | Mapping[str, Any] | Config, overrides: Iterable[str]
) -> tuple[Config, Path | None]:
    """Return the config and the file it came from (None for a mapping or model)."""
    if isinstance(config, Config):
        if not list(overrides):
            return config, None
        config = config.model_dump(by_alias=True)
    if isinstance(config, Mapping):
        return validated(overridden(config, overrides), "config"), None
    path = find_config(user_path(config))
    return validated(overridden(read_mapping(path), overrides), str(config)), path


def find_config(path: Path) -> Path:
    """Return the config file of that name here, else the shipped one."""
    inner = Path(*path.parts[1:]) if path.parts[:1] == ("configs",) else path
    candidates = [path, shipped("configs") / inner]
    return next((c for c in candidates if c.is_file()), path)


def folders_of(path: Path | None) -> list[Path]:
    """Return where relative files are looked for: here, beside the config, and above it."""
    if path is None:
        return [Path.cwd()]
    return [Path.cwd(), path.resolve().parent, *path.resolve().parents[1:4]]


def locations(
    path: Path | None = None,
    data_dir: str | Path | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
) -> Locations:
    """Return where data files may lie: data folder (or HPI_BT_DATA), here, beside the config."""
    given = data_dir or os.environ.get("HPI_BT_DATA")
    origin = "data_dir" if data_dir else "HPI_BT_DATA"
    if given and not user_path(given, origin).is_dir():
        raise InputError(
            f"{shortened(str(given))} is no folder",
            field=origin,
            remedy="give the one that holds the data files",
        )
    first = [user_path(given)] if given else []
    kept = {"cache": user_path(cache_dir, "cache_dir")} if cache_dir else {}
    return Locations(folders=(*first, *folders_of(path)), offline=offline, **kept)


def frame_of_config(config: Config, where: Locations, *, history: bool = False) -> pd.DataFrame:
    """Return the frame that a config's `data` section describes.

    `history`: with the bars before `data.start`, as many as `attrs["warm_up"]` says, for
    indicators alone.
    """
    data = config.data
    source = data.source.read(where, data.sessions)
    counts = _counts(source)
    assumed = isinstance(data.source, FileSource | OptionSnapshotsSource)
    if counts and assumed and data.open_interest.stamp is None:
        source = add_notes(source, _assumed_stamp(counts, data.source.kind))
    frame = build_frame(
        source,
        calendar=data.sessions,
        where=where,
        outside=data.outside,
        slot_minutes=data.slot_minutes,
        open_interest_stamp=data.open_interest.stamp or "pre_open",
        parts=data.join,
        derived=data.derive,
        splits=data.splits,
        resample_minutes=data.resample_minutes,
    )
    frame.attrs["timings"] = _timings(data, counts)
    frame.attrs[BARS_SYMBOL] = getattr(data.source, "symbol", "")
    bare = frame
    for feature in config.features:
        frame = feature.joined(frame, bare, where, data.sessions)
    frame = _between(frame, config)
    bars = traded(frame)
    frame = add_notes(frame, *implausible(frame), *missing_notes(bars), *_warm_up_notes(frame))
    frame = _with_demo_flow(frame) if config.demo else frame
    return frame if history else traded(frame)


def _warm_up_notes(frame: pd.DataFrame) -> list[Note]:
    first = frame.attrs.get(WARM_UP, 0)
    text = (
        f"{counted(first, 'bar')} before data.start for the warm-up of indicators alone; counts in "
        "what indicators report include them"
    )
    return [Note(Severity.INFO, "warm-up", text)] if first else []


def _counts(source: pd.DataFrame) -> list[str]:
    """Return the columns of open interest that the source itself has."""
    return [c for c in OI_COLUMNS if c in source and (source[c].fillna(0.0) != 0.0).any()]


def _assumed_stamp(counts: list[str], kind: str) -> Note:
    named = "open interest" if counts == ["openinterest"] else ", ".join(counts)
    named += " of each session's first snapshot" if kind == "option_snapshots" else ""
    text = f"{named} taken as published before the open (open_interest.stamp not given)"
    return Note(Severity.ASSUMPTION, "open-interest-stamp-assumed", text)


def _timings(data: Data, counts: list[str]) -> list[tuple[str, str]]:
    """Return when the source's open interest and the joined columns are known, for pages."""
    stamp, kind = data.open_interest.stamp, data.source.kind
    how = "published before the session's open"
    if stamp == "prior_close":
        how = "counted after the close, used from the next session on"
    elif kind == "option_snapshots":
        how = "of each session's first snapshot"
    elif stamp is None and kind in ("csv", "parquet"):
        how = f"taken as {how}"
    own = [("Open interest", how)] if counts else []
    return own + [("Joined", part.timing) for part in data.join]


def _between(frame: pd.DataFrame, config: Config) -> pd.DataFrame:
    start, end = config.data.start, config.data.end
    if start is None and end is None:
        return frame
    attrs, session = frame.attrs, frame["session"].to_numpy()
    keep = np.ones(len(frame), dtype=bool)
    if start is not None:
        keep &= session >= start.toordinal()
    if end is not None:
        keep &= session <= end.toordinal()
    if not keep.any():
        raise InputError(
            f"data.start, data.end: no bar from {start or 'the first'} to {end or 'the last'}; "
            f"the data run from {frame.index[0]:%Y-%m-%d} to {frame.index[-1]:%Y-%m-%d}, "
            "choose dates within"
        )
    first, last = np.flatnonzero(keep)[[0, -1]]
    frame = frame.iloc[: last + 1]
    frame.attrs = attrs | ({WARM_UP: int(first)} if first else {})
    return frame


def _with_demo_flow(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with option flow made up from its bars, where it has none."""
    if "put_volume" in frame:
        return frame
    columns = ("high", "low", "close", "volume", "session")
    flow = demo_flow(*(frame[c].to_numpy(dtype=np.float64) for c in columns))
    made = frame.assign(**flow._asdict())
    made.attrs = frame.attrs | {"demo": "option flow made up from price bars (demo: true)"}
    return made


def load_frame(
    config: str | Path | Mapping[str, Any] | Config,
    *,
    overrides: Iterable[str] = (),
    data_dir: str | Path | None = None,
    offline: bool = False,
    cache_dir: str | Path | None = None,
) -> pd.DataFrame:
    """Return the frame that a config's `data` section describes, ready for `HedgeData`."""
    model, path = read_config(config, overrides)
    return frame_of_config(one_symbol(model), locations(path, data_dir, offline, cache_dir))


def one_symbol(config: Config) -> Config:
    """Return the config; refuse one that stands for several runs."""
    if config.symbols:
        raise InputError(
            f"symbols: this is one run, and there are {len(config.symbols)} of them; use `hpi-bt "
            "run` or hpi_bt.run_all, or override symbols=[]"
        )
    return config
