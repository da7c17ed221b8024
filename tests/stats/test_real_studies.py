"""What the study says of real runs: scaled exposure, and what lies in the night."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hpi_bt.frames import locations, read_config
from hpi_bt.runs import record_of_config
from hpi_bt.stats.study import SignalStudy, Subject, signal_study
from hpi_bt.stats.verdicts import conclusions

pytestmark = pytest.mark.real_data


@cache
def study_of(config: str, folder: Path) -> SignalStudy:
    model, path = read_config(config, ())
    record = record_of_config(model, path, locations(path, folder, True, None))
    bars = record.frame.drop(columns=[c for c in record.signals if c in record.frame])
    subject = Subject("X", bars.join(record.signals), record.panes, record.trades, record.account)
    return signal_study([subject], permutations=199)


def test_an_overlay_is_judged_by_its_timing_not_by_ten_entries(real_data):
    study = study_of("configs/real/gauge_spy.yaml", real_data)
    assert study.entries == ()
    ((_, test),) = study.timing
    assert test.changes > 100
    assert test.trades < 20
    assert 0.7 < test.exposure < 0.95
    assert test.p_value > 0.1
    assert "Timing: no evidence that changing the exposure adds return" in conclusions(study)[-1]


def test_what_crude_oil_earned_by_day_it_lost_at_night(real_data):
    study = study_of("configs/real/crude_herrick.yaml", real_data)
    (row,) = study.nights[study.nights["line"] == "HerrickRSI.rsi"].to_dict("records")
    assert np.round([row["night_ic"], row["day_ic"]], 3).tolist() == [-0.06, 0.056]
    assert row["found"] == "opening"
    (said,) = (line for line in conclusions(study) if line.startswith("Overnight"))
    assert "HerrickRSI.rsi" in said
    # a day ahead, the study's own coefficient is the day's part: from open to close
    first = study.coefficients.query("line == 'HerrickRSI.rsi' and horizon == 1").iloc[0]
    assert first["ic"] == pytest.approx(row["day_ic"], abs=1e-4)
