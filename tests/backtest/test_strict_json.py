import datetime as dt
import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.backtest.strict_json import json_safe


@dataclass
class Sample:
    when: dt.date
    what: object


def test_json_safe_turns_what_json_lacks_into_null():
    value = {
        "a": [math.nan, -math.inf, np.float64(1.5), np.int64(3), np.True_],
        "b": np.array([[1.0, math.nan]]),
        "c": Sample(dt.date(2024, 3, 8), pd.NaT),
        4: (pd.Timestamp("2024-03-08", tz="UTC"), np.datetime64("2024-03-08"), None, pd.NA),
        "d": [pd.Series([1, 2]), np.array(math.nan), np.datetime64("NaT")],
    }
    assert json.loads(json.dumps(json_safe(value), allow_nan=False)) == {
        "a": [None, None, 1.5, 3, True],
        "b": [[1.0, None]],
        "c": {"when": "2024-03-08", "what": None},
        "4": ["2024-03-08T00:00:00+00:00", "2024-03-08T00:00:00", None, None],
        "d": [[1, 2], None, None],
    }


@given(st.recursive(st.floats() | st.integers() | st.text(), st.lists, max_leaves=20))
def test_json_safe_output_is_always_strict_json(value):
    json.dumps(json_safe(value), allow_nan=False)


def test_json_safe_refuses_what_it_cannot_write():
    with pytest.raises(TypeError, match="cannot write set as JSON"):
        json_safe({1})
