from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from hpi_bt.errors import InputError
from hpi_bt.sources.cache import Cache, Provenance, merge_overlap, package_versions

NEW_YORK = "America/New_York"


def closes(values: list[float], first: str = "2024-01-02") -> pd.DataFrame:
    index = pd.bdate_range(first, periods=len(values), tz=NEW_YORK, name="close_time").as_unit("ns")
    return pd.DataFrame({"close": values}, index=index)


def provenance() -> Provenance:
    local = datetime(2024, 1, 5, 12, tzinfo=timezone(timedelta(hours=-5)))
    return Provenance("yahoo", {"start": "2024-01-02"}, local, package_versions("pandas"))


def test_a_frame_comes_back_as_it_was_stored_with_its_provenance(tmp_path):
    frame = closes([1.0, np.nan, 3.0])
    cache = Cache(tmp_path / "new")
    assert cache.load("yahoo/IWM") is None
    cache.store("yahoo/IWM", frame, provenance())
    found = cache.load("yahoo/IWM")
    assert found is not None
    assert_frame_equal(found[0], frame, check_freq=False)
    assert found[1] == provenance()
    assert found[1].fetched_at == datetime(2024, 1, 5, 17, tzinfo=UTC)
    assert found[1].versions == {"pandas": pd.__version__}
    assert cache.problems == []


def test_pandas_alone_can_read_a_cache_file(tmp_path):
    path = Cache(tmp_path).store("a", closes([1.0, 2.0]), provenance())
    assert_frame_equal(pd.read_parquet(path), closes([1.0, 2.0]), check_freq=False)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(), st.text())
def test_every_key_has_a_safe_file_of_its_own(tmp_path, one, other):
    cache = Cache(tmp_path)
    path = cache.path(one)
    assert path.parent == tmp_path
    assert len(path.name) < 100
    assert path.name.isascii()
    assert not set(path.name) & set('<>:"/\\|?*^ ')
    assert (path == cache.path(other)) == (one == other)


@pytest.mark.parametrize("symbol", ["^VIX", "BRK/B", "..", "../../etc", "CON", "", "brk/b", "ES=F"])
def test_awkward_symbols_are_stored_and_found(tmp_path, symbol):
    cache = Cache(tmp_path)
    path = cache.store(symbol, closes([1.0]), provenance())
    assert path.parent == tmp_path
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert cache.load(symbol) is not None


@pytest.mark.parametrize("damage", ["empty", "half", "text", "foreign", "other key"])
def test_a_damaged_file_is_named_and_ignored_and_replaced(tmp_path, damage):
    cache = Cache(tmp_path)
    path = cache.store("IWM", closes([1.0, 2.0]), provenance())
    whole = path.read_bytes()
    if damage == "foreign":
        closes([1.0]).to_parquet(path)
    elif damage == "other key":
        cache.store("SPY", closes([1.0]), provenance()).rename(path)
    else:
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "text": b"no"}[damage])
    assert cache.load("IWM") is None
    assert len(cache.problems) == 1
    assert cache.problems[0].startswith(f"{path}: damaged cache file ignored")
    assert "\n" not in cache.problems[0]
    cache.store("IWM", closes([3.0]), provenance())
    assert cache.load("IWM") is not None


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    cache.store("IWM", closes([1.0]), provenance())

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(InputError, match=r"cache cannot be written \(No space left"):
        cache.store("IWM", closes([2.0]), provenance())
    found = cache.load("IWM")
    assert found is not None
    assert found[0]["close"].tolist() == [1.0]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_naive_fetch_time_is_refused():
    with pytest.raises(ValueError, match="fetched_at needs a time zone"):
        Provenance("yahoo", {}, datetime(2024, 1, 1))


def test_an_absent_package_is_called_absent():
    assert package_versions("no-such-package") == {"no-such-package": "absent"}


def test_new_rows_replace_old_ones_that_agree():
    # old 1 2 3, new from the second row on: 2 3 4; 3 differs by 1e-7 relative and is replaced
    old, new = closes([1.0, 2.0, 3.0]), closes([2.0, 3.0000003, 4.0], "2024-01-03")
    merged = merge_overlap(old, new, columns=["close"])
    assert merged is not None
    assert merged["close"].tolist() == [1.0, 2.0, 3.0000003, 4.0]


@pytest.mark.parametrize("value", [2.00001, np.nan])
def test_an_overlap_that_disagrees_gives_nothing(value):
    old, new = closes([1.0, 2.0]), closes([value, 3.0], "2024-01-03")
    assert merge_overlap(old, new, columns=["close"]) is None
    assert merge_overlap(old, new.assign(volume=1.0), columns=["close"]) is None


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.data())
def test_any_two_overlapping_parts_of_a_series_join_to_the_series(values, data):
    whole = closes(values)
    low = data.draw(st.integers(0, len(values) - 1))
    high = data.draw(st.integers(low, len(values)))
    merged = merge_overlap(whole.iloc[:high], whole.iloc[low:], columns=["close"])
    assert merged is not None
    assert_frame_equal(merged, whole, check_freq=False)
