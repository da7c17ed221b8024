"""Any strategy's entries, confirmed by hedge pressure: here a moving-average cross.

`EmaCross` is plain Backtrader. One more line, `class ConfirmedEmaCross(Confirmed, EmaCross)`,
vetoes its entries against the Hedge Pressure Index; do the same with your own strategy.
"""

import backtrader as bt

from hpi_bt import Confirmed


class EmaCross(bt.Strategy):
    """Long above, short below: the fast average against the slow one, stopped out by time."""

    params = dict(fast=20, slow=60, percent=90.0, hold_bars=120)

    def __init__(self):
        fast = bt.ind.EMA(self.data.close, period=self.p.fast)
        slow = bt.ind.EMA(self.data.close, period=self.p.slow)
        self.cross = bt.ind.CrossOver(fast, slow)
        self.entered = 0

    def next(self):
        """Turn with every cross; leave a position after `hold_bars`."""
        if self.cross[0]:
            if self.position:
                self.close()
            size = int(self.broker.getvalue() * self.p.percent / 100.0 / self.data.close[0])
            order = self.buy(size=size) if self.cross[0] > 0 else self.sell(size=size)
            if order is not None:
                self.entered = len(self)
        elif self.position and len(self) - self.entered >= self.p.hold_bars:
            self.close()


class ConfirmedEmaCross(Confirmed, EmaCross):
    """The same entries, but only where hedge pressure does not speak against them."""

    params = dict(confirm=dict(scale="standard"))
