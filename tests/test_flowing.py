"""`hpi_bt.flow` and `hpi-bt flow`: features computed ahead of the runs, and used by them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hpi_bt as hb
from hpi_bt.cli.flow import _amount
from hpi_bt.features.ahead import session_table
from hpi_bt.features.flow_columns import COLUMNS
from small_runs import Said, commander

Command = Callable[..., Said]
SOURCE = "{kind: demo, symbol: SPY, sessions: 3, bar: 5min, seed: 3"
STRATEGY = Path(__file__).resolve().parents[1] / "strategies" / "pressure_cloud.py"
CONFIG = f"""
name: cloud
data:
  source: {SOURCE}}}
  calendar: XNYS
features:
  - kind: hedge_flow
    chains: {SOURCE}, snapshot_minutes: 65, skew: -0.4, smile: 2.0}}
    known_at: {{delay_minutes: 5}}
strategy: {{class: "{STRATEGY}:PressureCloud"}}
study: {{enabled: false}}
"""


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return commander(monkeypatch, capsys)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HPI_BT_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cloud.yaml"
    path.write_text(CONFIG)
    return path


def test_flow_computes_once_and_the_run_finds_it(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float]] = []
    (first,) = hb.flow(config, cache_dir="kept", stage=lambda *said: told.append(said))
    assert not first.kept
    assert len(first.rows) == 3 * 5  # 65 minutes apart, the close left out
    assert told[-1] == ("15 of 15", 1.0)
    (second,) = hb.flow(config, cache_dir="kept")
    assert second.kept
    pd.testing.assert_frame_equal(second.rows, first.rows)
    monkeypatch.setattr("hpi_bt.features.compute.flow_values", None)  # nothing more is computed
    result = hb.run(config, cache_dir="kept", results=tmp_path / "results")
    assert result.summary["demo"]
    assert "HedgeFlow.impulse" in result.signals
    said = dict(result.summary["assumptions"])
    assert said["Dealers"].startswith("dealers long calls short puts, by open interest")
    assert said["Chains"] == "known 5 minutes after their quotes; expiry 0dte"


def test_a_bar_sees_a_snapshot_no_earlier_than_it_was_known(config: Path, tmp_path: Path) -> None:
    frame = hb.load_frame(config, cache_dir="kept")
    (made,) = hb.flow(config, cache_dir="kept")
    impulse = frame["hedge_impulse"]
    for moment, value in made.rows["hedge_impulse"].items():
        known = pd.Timestamp(moment) + pd.Timedelta(minutes=5)
        at = frame.index.searchsorted(known)
        assert impulse.iloc[at] == value
        assert impulse.iloc[at - 1] != value


def test_the_command_prints_a_row_a_session_and_writes_the_rows(
    config: Path, command: Command
) -> None:
    said = command("flow", str(config), "--cache-dir", "kept", "--csv", "rows.csv")
    assert said.code == 0
    lines = said.out.splitlines()
    assert lines[0] == "hedge_flow: 15 snapshots, computed"
    assert lines[2].split() == [
        *("session", "snapshots", "blank", "regime", "impulse", "gex", "charm_to_close"),
        *("zero_gamma", "call_wall", "put_wall"),
    ]
    assert lines[3].split()[:3] == ["2024-01-02", "5", "0"]
    assert any(line.startswith("- DEMO: chains every 65 minutes") for line in lines)
    rows = pd.read_csv("rows.csv", index_col="time")
    assert set(COLUMNS) <= set(rows.columns)
    assert len(rows) == 15
    again = command("flow", str(config), "--cache-dir", "kept")
    assert again.out.splitlines()[0] == "hedge_flow: 15 snapshots, kept"


def test_the_screen_shows_the_weightiest_notes_and_all_where_asked(
    config: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hpi_bt.cli.flow._MOST_LINES", 3)
    asked = ("flow", str(config), "--cache-dir", "kept")
    few = [line for line in command(*asked).out.splitlines() if line.startswith(("- ", "..."))]
    every = [line for line in command(*asked, "--notes").out.splitlines() if line[:2] == "- "]
    assert few[0].startswith("- DEMO: ")
    assert few[:-1] == every[:3]
    assert few[-1] == f"... {len(every) - 3} more with --notes"
    (made,) = hb.flow(config, cache_dir="kept")
    assert {line[2:] for line in every} == {*made.notes, *made.flags}
    assert not set(made.notes) & set(made.flags)


def test_a_config_without_features_has_nothing_to_compute(config: Path, command: Command) -> None:
    said = command("flow", str(config), "-s", "features=[]")
    assert said.code == 2
    assert "cloud: nothing to compute ahead; add `features: [{kind: hedge_flow" in said.err


def test_a_file_that_cannot_be_written_is_named(config: Path, command: Command) -> None:
    said = command("flow", str(config), "--cache-dir", "kept", "--csv", "absent/rows.csv")
    assert said.code == 2
    assert "--csv absent/rows.csv: cannot be written" in said.err


def test_the_table_has_medians_of_amounts_and_the_last_of_levels() -> None:
    index = pd.DatetimeIndex(["2024-03-05 15:00", "2024-03-05 16:00", "2024-03-05 17:00"], tz="UTC")
    rows = pd.DataFrame(0.0, index=index, columns=list(COLUMNS))
    rows["hedge_impulse"] = [1.0, 5.0, np.nan]
    rows["hedge_gex"] = [10.0, 30.0, np.nan]
    rows["hedge_zero_gamma"] = [100.0, 101.0, np.nan]
    rows["hedge_charm_to_close"] = [7.0, 8.0, np.nan]
    rows["hedge_regime"] = [2.0, 2.0, np.nan]
    (row,) = session_table(rows, "XNYS").to_dict("records")
    assert (row["session"], row["snapshots"], row["blank"]) == ("2024-03-05", 3, 1)
    assert (row["regime"], row["impulse"], row["gex"]) == ("pinned", 3.0, 20.0)
    assert (row["zero_gamma"], row["charm_to_close"]) == (101.0, 7.0)
    (blank,) = session_table(rows.iloc[2:], "XNYS").to_dict("records")
    assert blank["regime"] == "unknown"
    assert np.isnan(blank["call_wall"])


def test_small_amounts_keep_digits_and_none_is_minus_nothing() -> None:
    values = [-0.31, 0.0, -0.00412, 12.345, -1234.5, np.nan]
    assert [_amount(v) for v in values] == [
        *("\N{MINUS SIGN}0.310", "0", "\N{MINUS SIGN}0.00412", "12.3"),
        *("\N{MINUS SIGN}1,234", None),
    ]
