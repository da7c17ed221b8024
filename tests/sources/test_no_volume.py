"""Bars on which nobody traded, in a market in which somebody does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_days import daily
from numpy.testing import assert_array_equal

from hpi_bt.errors import InputError, Severity
from hpi_bt.sources.base import Locations
from hpi_bt.sources.files import CsvSource, ParquetSource
from hpi_bt.sources.no_volume import treat_no_volume, without_volume


def quiet_at(*rows: int, value: float = 0.0, n: int = 10) -> pd.DataFrame:
    frame = daily(n)
    frame.iloc[list(rows), frame.columns.get_loc("volume")] = value
    return frame


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_bar_is_without_volume_where_most_have_some(value):
    assert_array_equal(np.flatnonzero(without_volume(quiet_at(2, 7, value=value))), [2, 7])


@pytest.mark.parametrize("rows", [range(5), range(10)])
def test_a_market_whose_feed_has_no_volume_has_no_such_bars(rows):
    assert not without_volume(quiet_at(*rows)).any()
    assert not without_volume(daily(10).drop(columns="volume")).any()
    assert not without_volume(daily(10).iloc[:0]).any()
    frame = quiet_at(*rows)
    for policy in ("keep", "drop", "refuse"):
        assert treat_no_volume(frame, policy, name="f") is frame


def test_they_are_kept_dropped_or_refused_and_counted():
    frame = quiet_at(2, 7)
    kept = treat_no_volume(frame, "keep", name="f")
    dropped = treat_no_volume(frame, "drop", name="f")
    assert (len(kept), len(dropped)) == (10, 8)
    for out, verb in ((kept, "kept"), (dropped, "left out")):
        (note,) = out.attrs["notes"]
        assert (note.code, note.severity) == ("bars-without-volume", Severity.INFO)
        assert f"2 bars of 10 without volume {verb}, the first of {frame.index[2]:%Y-%m-%d}" in note
    with pytest.raises(InputError, match=r"^f: 2 bars without volume, .*no_volume under source"):
        treat_no_volume(frame, "refuse", name="f")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_source_treats_them_as_its_setting_says(tmp_path, kind):
    frame = quiet_at(3).drop(columns=["session", "minutes_open", "minutes_left", "slot"])
    table = frame.assign(date=frame.index.strftime("%Y-%m-%d")).reset_index(drop=True)
    if kind == "csv":
        table.to_csv(tmp_path / "f.csv", index=False)
    else:
        table.to_parquet(tmp_path / "f.parquet")
    source = {"csv": CsvSource, "parquet": ParquetSource}[kind](path=f"f.{kind}")
    where = Locations((tmp_path,))
    assert len(source.read(where, "XNYS")) == 10
    assert len(source.model_copy(update={"no_volume": "drop"}).read(where, "XNYS")) == 9
    with pytest.raises(InputError, match="1 bar without volume"):
        source.model_copy(update={"no_volume": "refuse"}).read(where, "XNYS")
