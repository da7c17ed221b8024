"""Hold the fund, and hold less of it the higher the Hedge Pressure Gauge's band."""

import math

import backtrader as bt

from hpi_bt import HedgePressureGauge, InputError


class GaugeOverlay(bt.Strategy):
    """Keep a share of the account in the data, by the band of the gauge; the rest is cash.

    The share is set anew, by a market order at the next open, where the band changes; between
    changes it drifts with the price. That is one session late: the gauge for a session is
    published before its open, but orders are sent at its close and filled at the open after. The
    band of an unknown gauge is that before it, at first low.
    `score` names another column of 0 to 100: gauge_vix is the same rule on the VIX alone.
    """

    params = dict(
        score="gauge",
        low=100.0,  # percent of the account in each band: equal steps from all to nothing
        moderate=67.0,
        elevated=33.0,
        high=0.0,
        buffer=1.0,  # percent never invested: the next open may lie above the close
    )

    def __init__(self):
        if self.p.score not in self.data.getlinealiases():
            raise InputError(
                f"strategy.params.score: the data has no column {self.p.score!r}; "
                "add features: [{kind: gauge}] to the config, or name a column of 0 to 100"
            )
        for name in ("low", "moderate", "elevated", "high", "buffer"):
            if not 0.0 <= getattr(self.p, name) <= 100.0:  # NaN neither
                raise InputError(
                    f"strategy.params.{name}: {getattr(self.p, name):g}; give a percentage from 0 "
                    "to 100 of the account (nothing is borrowed or sold short)"
                )
        self.gauge = HedgePressureGauge(getattr(self.data, self.p.score))
        self.shares = [self.p.low, self.p.moderate, self.p.elevated, self.p.high]
        self.band = None
        self.order = None

    def next(self):
        """Send one order where the band differs from the one that is held."""
        now = self.gauge.band[0]
        band = (self.band or 0) if math.isnan(now) else int(now)
        if self.order is None and band != self.band:
            self.band = band
            share = min(self.shares[band], 100.0 - self.p.buffer)
            self.order = self.order_target_percent(target=share / 100.0)

    def notify_order(self, order):
        """Forget a finished order; one that was refused is sent again."""
        if order.status in (order.Canceled, order.Margin, order.Rejected):
            self.band = None
        if not order.alive():
            self.order = None
