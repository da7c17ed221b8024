"""`hb.Report`: the result folder from anybody's own Cerebro."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hpi_bt.backtest.cerebro import Recorder
from hpi_bt.backtest.result import Result, check_writable
from hpi_bt.config import Config
from hpi_bt.runs import save


class Report(Recorder):
    """Writes the folder that `hpi-bt run` writes, from any strategy on any Cerebro.

    `cerebro.addanalyzer(hb.Report, folder="results", name="mine")`; after the run
    `strategy.analyzers.report.result` is the `Result`.

    Parameters
    ----------
    folder : path, default="results"
        Where the result folder appears.
    name : str, default: the strategy's class name
        First part of its name, and the headline of its pages.
    costs : str, default="as set in the Cerebro's broker"
        What the assumptions banner says about costs.
    """

    params: Any = dict(folder="results", name="", costs="as set in the Cerebro's broker")

    result: Result

    def start(self) -> None:
        """Check the folder before the run, not after it."""
        check_writable(Path(self.p.folder).expanduser())
        super().start()

    def stop(self) -> None:
        """Write the folder."""
        super().stop()
        name = self.p.name or self.record.strategy
        config = Config.model_validate(
            {
                "name": name,
                "data": {"source": {"kind": "csv", "path": "(data of the user's own Cerebro)"}},
                "strategy": {"class": f"(own Cerebro):{self.record.strategy}"},
                "broker": {"cash": self.record.cash},
            }
        )
        self.result = save(self.record, config, Path(self.p.folder).expanduser())
