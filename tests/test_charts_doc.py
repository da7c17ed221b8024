"""What docs/charts.md shows can be copied and run, and it names every option there is."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from hpi_bt.backtest.alerts import alerts_of
from hpi_bt.declarations import KINDS, OPTIONS
from hpi_bt.report.drawing import CANDLES, TRADES, check_style

TEXT = (Path(__file__).resolve().parents[1] / "docs" / "charts.md").read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The result folder of the example, run as the page says."""
    home = tmp_path_factory.mktemp("example")
    code, *others = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert not others
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        exec(compile(code, "tilt.py", "exec"), {"__name__": "__main__"})
    (made,) = (home / "results").glob("tilt-*/")
    return made


def test_the_example_draws_its_lines_and_keeps_the_third(folder):
    panes = {pane["line"]: pane for pane in json.loads((folder / "panes.json").read_text("utf-8"))}
    assert set(panes) == {"share", "turn"}
    assert panes["share"]["levels"] == [0.5, 0.54]
    signals = pd.read_parquet(folder / "signals.parquet")
    assert {"Tilt.share", "Tilt.turn", "Tilt.total"} <= set(signals)
    page = (folder / "chart.html").read_text("utf-8")
    assert "puts took over" in page
    assert '"Tilt.total"' not in page


def test_the_example_alerts_where_its_event_begins(folder):
    signals = pd.read_parquet(folder / "signals.parquet")
    panes = json.loads((folder / "panes.json").read_text("utf-8"))
    told = pd.read_csv(folder / "alerts.csv")
    wanted = alerts_of(signals, panes, signals.index)
    assert 5 < len(told) == len(wanted)
    assert set(told["alert"]) <= {"puts took over", "calls took over"}


def test_every_option_is_explained():
    named = set(re.findall(r"`(\w+)`", TEXT))
    assert {*OPTIONS, *KINDS} <= named


def test_the_config_it_shows_is_accepted():
    (text,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    chart = yaml.safe_load(text)["chart"]
    check_style(chart)
    for part, usual in (("candles", CANDLES), ("trades", TRADES)):
        (line,) = re.findall(rf"^  {part}: .*$", text, re.MULTILINE)
        assert all(name in line for name in usual)
