"""What README shows can be copied and run."""

import re
from pathlib import Path

import backtrader as bt
import numpy as np
import pytest

import hpi_bt as hb
from indicators.bench import MODES, clean_frame, record, same, table

README = Path(__file__).resolve().parents[1] / "README.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def ran(code):
    """What an example defines."""
    names = {"__name__": "__main__"}
    exec(compile(code, "README.md", "exec"), names)
    return names


def test_every_example_is_tried_here():
    assert len(EXAMPLES) == 2


def test_the_python_example_runs_and_so_does_its_filtered_twin(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for chosen in ("Mine", "Filtered"):
        ran(EXAMPLES[0].replace("addstrategy(Mine)", f"addstrategy({chosen})"))
        assert "<Result mine: DEMO" in capsys.readouterr().out
    assert len(list((tmp_path / "results").glob("*/"))) == 2


@pytest.mark.parametrize("name", re.findall(r"configs/\S+?\.yaml", README.read_text("utf-8")))
def test_every_config_it_names_is_there(name):
    assert (README.parent / name).is_file()


def test_the_indicator_of_ones_own_runs_in_every_mode_and_is_drawn_and_alerts(tmp_path):
    tilt = ran(EXAMPLES[1])["Tilt"]
    runs = [
        table(record(lambda s: [tilt(s.data)], hb.HedgeData(clean_frame()), **mode).seen)
        for mode in MODES.values()
    ]
    assert all(same(runs[0], other) for other in runs[1:])
    share, turn = runs[0].T
    assert np.nanmax(np.abs(share)) <= 1.0
    assert set(turn) == {-1.0, 0.0, 1.0}

    class Shows(bt.Strategy):
        def __init__(self):
            super().__init__()
            self.tilt = tilt(self.data)

    cerebro = hb.HedgeCerebro()
    cerebro.adddata(hb.HedgeData(clean_frame()))
    cerebro.addstrategy(Shows)
    cerebro.addanalyzer(hb.Report, folder=str(tmp_path))
    result = cerebro.run()[0].analyzers.report.result
    assert set(result.alerts["alert"]) == {"puts took over", "calls took over"}
    assert "puts took over" in (result.folder / "chart.html").read_text("utf-8")
