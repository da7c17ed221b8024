"""`hb.Report`: the result folder from anybody's own Cerebro."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import yaml

from hpi_bt.backtest.account_notes import no_costs
from hpi_bt.backtest.fill_notes import volume_notes
from hpi_bt.backtest.recorder import Recorder
from hpi_bt.backtest.result import Result, check_writable
from hpi_bt.identity import code_fingerprint
from hpi_bt.report import Banner
from hpi_bt.report.drawing import check_style
from hpi_bt.report.folder import Story
from hpi_bt.runs import save
from hpi_bt.sources.paths import user_path

_PLAIN = (str, int, float, bool, type(None))


class Report(Recorder):
    """Writes the folder that `hpi-bt run` writes, from any strategy on any Cerebro.

    `cerebro.addanalyzer(hb.Report, folder="results", name="mine")`; after the run
    `strategy.analyzers.report.result` is the `Result`. Of several datas, chart and study are of the
    first; a remark says where to find the others.

    Parameters
    ----------
    folder : path, default="results"
        Where the result folder appears.
    name : str, default: the strategy's class name
        First part of its name, and the headline of its pages.
    dealer_sign, open_interest, fills, costs : str
        What the assumptions banner says about them; by default that it does not know, and the
        commission and slippage that were paid.
    benchmark : bool, default=True
        Compare with buying and holding the first data.
    style : mapping, optional
        Colours and widths of the signal page by line, as `chart` of a config.
    """

    params: Any = dict(
        folder="results",
        name="",
        dealer_sign="not stated",
        open_interest="not stated when it was known",
        fills="as set in the user's own Cerebro",
        costs="",
        benchmark=True,
    )

    result: Result

    def start(self) -> None:
        """Check the folder before the run, not after it."""
        check_writable(user_path(self.p.folder, "folder"), "folder")
        check_style(self.p.style or {})
        super().start()

    def stop(self) -> None:
        """Write the folder."""
        super().stop()
        fills = self.record.fills
        if len(fills) and not fills[["commission", "slippage"]].to_numpy().any():
            self.record.remarks.append(
                no_costs("its broker charged neither commission nor slippage")
            )
        name = str(self.p.name or self.record.strategy)
        about = {"benchmark": self.p.benchmark, "style": self.p.style or {}}
        story = Story(name, self._config(name), self._banner(), **about)
        record = replace(self.record, code=code_fingerprint(type(self.strategy)))
        record.remarks.extend(volume_notes(record))
        self.result = save(record, user_path(self.p.folder, "folder"), story)

    def _config(self, name: str) -> str:
        known = {
            "name": name,
            "strategy": {"class": self.record.strategy, "params": _plain(self.record.params)},
            "data": list(self._names.values()),
            "broker": {"cash": float(self.record.cash), **self._costs()},
        }
        text: str = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
        return (
            f"# Written by hpi_bt.Report from a user's own Cerebro; no config of hpi-bt run\n{text}"
        )

    def _costs(self) -> dict[str, Any]:
        """Return the settings of the broker and of its commission scheme for the first data."""
        broker = self.strategy.broker
        scheme = broker.getcommissioninfo(self.strategy.data)
        own = broker.p._getkwargs() if hasattr(broker, "p") else {}
        slippage = {k: v for k, v in own.items() if k.startswith(("slip_", "coo", "coc"))}
        return _plain(slippage) | {"commission": _plain(scheme.p._getkwargs())}

    def _banner(self) -> Banner:
        record = self.record
        paid = {k: float(record.fills[k].sum()) for k in ("commission", "slippage")}
        sums = f"{paid['commission']:,.2f} commission and {paid['slippage']:,.2f} slippage paid"
        rows = [("Fills", self.p.fills), ("Costs", self.p.costs or f"set by its broker; {sums}")]
        if any(pane["pane"] != "price" for pane in record.panes if "pane" in pane):
            rows = [
                ("Dealer sign", self.p.dealer_sign),
                ("Open interest", self.p.open_interest),
                *rows,
            ]
        if "calendar" not in record.frame.attrs:
            rows.append(
                ("Sessions", "calendar dates of the bars, labelled as the feed labels them")
            )
        return [*rows, ("Engine", f"{record.engine}, the user's own")]


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as YAML can hold them."""
    return {k: v if isinstance(v, _PLAIN) else str(v) for k, v in values.items()}
