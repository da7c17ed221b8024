"""One of each page of a run, a comparison, a scan and a folder, all with one name in them."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from report_signals import PANES, studied
from test_comparison import runs_in
from test_index import put
from test_scan import shown

from hpi_bt import compare
from hpi_bt.report.index import update_index
from hpi_bt.report.scan import write_scan
from hpi_bt.report.signals import write_signals
from hpi_bt.report.study import write_study
from hpi_bt.report.tearsheet import write_tearsheet

PAGES = ("chart", "study", "comparison", "scan", "index", "tearsheet")


def write_pages(folder, name):
    """Write the six pages with `name` for a run, a symbol, an indicator and a file; their paths."""
    frame, made, study = studied()
    frame = frame.rename(columns=lambda c: c.replace("Osc.", f"{name}."))
    panes = [p | {"label": name, "column": p["column"].replace("Osc", name)} for p in PANES]
    study = replace(study, entries=((name, study.entries[0][1]), ("NQ", study.entries[0][1])))
    tables = (study.deciles, study.coefficients, study.nights)
    for table, column in ((study.events, "signal"), *((table, "line") for table in tables)):
        table[column] = table[column].str.replace("Osc", name)
    given = {
        "title": name,
        "banner": [("File", f"{name}, 2024-11-02 to 2024-11-06")],
        "demo": f"{name}, 2024-11-02",
    }
    at = {page: folder / f"{page}.html" for page in PAGES}
    made["data"] = name
    write_signals(at["chart"], frame, panes, made, symbol=name, study=study, **given)
    write_study(at["study"], study, **given)
    runs = runs_in(folder, "base", "other", remarks=[f"warning: {name}, 2024-11-02 to 2024-11-06"])
    found = compare(runs, results=folder, names=[name, f"{name}-b"], bootstrap=199)
    at["comparison"] = found.page
    rows = [shown(name, 1.5, 0.4, 12), replace(shown("B", 2.5, 0.5), indicator=name, config=name)]
    now = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    write_scan(at["scan"], rows, made=now, banner=given["banner"])
    put(
        folder,
        "run-20261121T040000-aaaaaaaa",
        name=f"{name}, 2024-11-02 to 2024-11-06",
        symbol=name,
    )
    assert update_index(folder) == ""
    days = pd.bdate_range("2024-01-02", periods=30)
    returns = pd.Series(np.random.default_rng(1).normal(0.0, 0.01, 30), days)
    given |= {"benchmark_name": name, "parameters": {name: f"{name}, 2024-11-02"}}
    write_tearsheet(at["tearsheet"], returns, benchmark=returns[::-1].set_axis(days), **given)
    return at
