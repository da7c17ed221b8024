"""Strict models of what a config may say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from hpi_bt.features.kinds import AnyFeature
from hpi_bt.orders import Orders
from hpi_bt.sources.base import Settings
from hpi_bt.sources.calendars import Hours, with_hours
from hpi_bt.sources.demo import DemoSource
from hpi_bt.sources.files import CsvSource, ParquetSource
from hpi_bt.sources.joins import Part
from hpi_bt.sources.option_snapshots import OptionSnapshotsSource
from hpi_bt.sources.spot_bars import SpotBarsSource
from hpi_bt.sources.yahoo import YahooSource

Source: TypeAlias = Annotated[
    DemoSource | CsvSource | ParquetSource | YahooSource | OptionSnapshotsSource | SpotBarsSource,
    Field(discriminator="kind"),
]

#: Keys that `data` accepts on behalf of its source.
_SOURCE_KEYS = ("bar_label", "bar_minutes", "bar", "timezone", "columns")


class OpenInterestTiming(Settings):
    """When the source's open interest was known."""

    stamp: Literal["pre_open", "prior_close"] | None = None
    """pre_open: the row of day D holds the count published before D's open (after D-1).
    prior_close: it holds the count after D's own close; it is moved to the next session.
    Not given: taken as pre_open, and the run says so."""


class Data(Settings):
    """Where the bars come from and what is joined to them."""

    source: Source
    calendar: str = "XNYS"
    """An exchange_calendars name: XNYS, XBOM, CMES, ..."""
    hours: Hours | None = None
    """Open and close of a session where they are not the calendar's: {open: "08:30",
    close: "15:15"}. Without it CME's futures close at 16:00 Chicago."""
    outside: Literal["keep", "drop"] = "keep"
    """Bars outside the calendar's hours."""
    open_interest: OpenInterestTiming = OpenInterestTiming()
    join: tuple[Part, ...] = ()
    """Further files whose columns are joined as of the moment they were known."""
    splits: dict[date, Annotated[float, Field(gt=0, le=100)]] = Field({})
    """New shares for one old share, by the first session at the new price: {2005-06-09: 2}; 3 for 2
    is 1.5, a reverse split of 1 for 10 is 0.1. Earlier prices and strikes are divided by it,
    volumes and open interest multiplied."""
    derive: dict[str, str] = Field({})
    """Columns that are sums of others: openinterest: put_oi + call_oi."""
    resample_minutes: float | None = Field(None, gt=0)
    slot_minutes: float | None = Field(None, gt=0)
    """Length of the slots of the day that scale: standard compares; the bar length by default."""
    start: date | None = None
    end: date | None = None
    """First and last session traded, both included; indicators see the bars before the first."""

    @property
    def sessions(self) -> str:
        """The calendar with its hours, as sources and features take it."""
        return with_hours(self.calendar, self.hours)

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, value: Any) -> Any:
        """Hand bar_label, bar_minutes, bar, timezone and columns on to the source."""
        if not isinstance(value, Mapping) or not isinstance(value.get("source"), Mapping):
            return value
        lifted = {k: value[k] for k in _SOURCE_KEYS if k in value}
        rest = {k: v for k, v in value.items() if k not in lifted}
        return rest | {"source": {**lifted, **value["source"]}} if lifted else value


class StrategyChoice(Settings):
    """Which strategy, with which parameters."""

    reference: str = Field(alias="class")
    """"path/to/file.py:Class" or "package.module:Class"."""
    params: dict[str, Any] = Field({})

    @field_validator("params", mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        """Take a bare `params:` for none at all."""
        return {} if value is None else value


class Commission(Settings):
    """What a trade costs."""

    kind: Literal["none", "per_share", "percent", "per_contract"] = "none"
    amount: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Dollars per share or contract; percent of the traded value."""
    multiplier: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Dollars per point, for per_contract."""
    margin: float | None = Field(None, gt=0, allow_inf_nan=False)
    """Margin of one contract in dollars, for per_contract."""

    @model_validator(mode="after")
    def _complete(self) -> Commission:
        future = self.kind == "per_contract"
        if future and self.margin is None:
            raise ValueError("per_contract wants margin (dollars per contract); add it")
        if not future and (self.margin is not None or self.multiplier != 1.0):
            raise ValueError("multiplier and margin belong to kind per_contract; remove them")
        return self


class Broker(Settings):
    """The account and its costs."""

    cash: float = Field(100_000.0, gt=0, allow_inf_nan=False)
    commission: Commission = Commission()
    slippage_bps: float = Field(0.0, ge=0, allow_inf_nan=False)
    """Hundredths of a percent by which market, stop and limit-gap fills are worse."""


class Range(Settings):
    """Values of a sweep from one number to another, both included."""

    low: int | float = Field(alias="from", allow_inf_nan=False)
    """A range of whole numbers has whole ends: 2 to 30; 0.0 to 1.0 holds what lies between, and
    so does 0 to 1 without a step for a strategy parameter whose default is a float, such as 0.5."""
    high: int | float = Field(alias="to", allow_inf_nan=False)
    step: int | float | None = Field(None, gt=0, allow_inf_nan=False)
    """Distance of two values; may be left out where points are drawn at random."""

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.high < self.low:
            raise ValueError(f"from {self.low:g} lies above to {self.high:g}; swap them")
        return self

    @property
    def whole(self) -> bool:
        """Whether every number of the range is given as a whole one: 1, not 1.0."""
        return all(isinstance(x, int) for x in (self.low, self.high, self.step or 1))

    @property
    def real(self) -> Range:
        """The range of every number between its ends, where it has no step."""
        if self.step is not None:
            return self
        return self.model_copy(update={"low": float(self.low), "high": float(self.high)})


class WalkForward(Settings):
    """Windows of sessions: choose on the one, trade on the next."""

    train: int = Field(gt=0)
    """Sessions on which the parameters are chosen."""
    test: int = Field(gt=0)
    """Sessions that follow, traded with the choice."""
    mode: Literal["rolling", "anchored"] = "rolling"
    """anchored: the training window always starts with the first session."""
    purge: int = Field(0, ge=0)
    """Sessions left out between training and test."""
    embargo: int = Field(0, ge=0)
    """Sessions after each test window that no later training uses."""
    select: Literal["sharpe", "total_return", "sortino", "calmar"] = "sharpe"
    """What the best point of a training window has most of; a sortino or calmar that never lost
    counts as infinite. Of equals the higher Sharpe ratio, then the order of the grid decides."""
    min_trades: int = Field(1, ge=1)
    """Closed trades in the training window; a point with fewer is chosen only where no other has
    as many, and one without any never."""


class AlertCall(Settings):
    """What to do with each alert, beside writing it to alerts.csv."""

    call: str = Field(min_length=1)
    """A function that takes one alert (time, data, indicator, alert, direction, value), called at
    the close of its bar: "path/to/my_alerts.py:notify" or "package.module:function"."""


class Study(Settings):
    """How the signals of a run are studied against price."""

    enabled: bool = True
    """Whether to do it, after each run."""
    horizons: tuple[Annotated[int, Field(ge=1)] | Literal["close"], ...] | None = None
    """Bars ahead, or close (the session's last); by default 1, 5, 15, 30, 60 and close, for daily
    bars 1, 5, 10 and 21."""
    permutations: int = Field(1000, ge=99, le=1_000_000)
    """Permutations of the sessions, and random draws of the entry test; at least 99, as no p-value
    can be below 1/(1 + permutations)."""
    seed: int = Field(0, ge=0)


Symbol: TypeAlias = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^\S+$")]


class Config(Settings):
    """One run, or one for each of several symbols."""

    #: What is chosen for each call, not in a config.
    of_the_call: ClassVar[tuple[str, ...]] = (
        *("engine", "results", "data_dir", "cache_dir", "offline", "jobs", "samples", "seed"),
        *("max_points", "scheduler"),
    )

    name: str = Field(min_length=1, max_length=80)
    symbols: tuple[Symbol, ...] = ()
    """One run each, their signals studied together; `{symbol}` in the data section stands for
    it."""
    data: Data
    features: tuple[AnyFeature, ...] = ()
    """Columns computed from further data, each value known no earlier than it says. Several of one
    kind need names, which begin their columns; further ones without get kind_2 and so on."""
    strategy: StrategyChoice
    orders: Orders | None = None
    """Replaces the strategy's own order rules where given."""
    broker: Broker = Broker()
    benchmark: Literal["buy_and_hold", "none"] = "buy_and_hold"
    demo: bool = False
    """Allow option flow made up from price bars; everything shown then says DEMO."""
    allow_intraday: bool = False
    """Allow indicators that are meant for daily bars on intraday bars."""
    sweep: dict[str, list[Any] | Range] = Field({})
    """Values to try: a strategy parameter by its name, anything else by its path
    (orders.stop.multiple)."""
    walk_forward: WalkForward | None = None
    study: Study = Study()
    alerts: AlertCall | None = None
    chart: dict[str, dict[str, Any]] = Field({})
    """Colours and widths of the signal page: HedgePressureIndex.flow: {color: teal, width: 3};
    alert: false keeps an event out of alerts.csv; a line left out is drawn by naming it here
    (docs/charts.md)."""
    dealer_sign: str = "put-heavy flow is bullish"
    """The sign convention that the pages print."""

    @field_validator("features")
    @classmethod
    def _named(cls, features: tuple[AnyFeature, ...]) -> tuple[AnyFeature, ...]:
        """Name further features of a kind that differ from the ones before and have no name."""
        made: list[AnyFeature] = []
        for one in features:
            before = [other for other in made if other.kind == one.kind]
            alike = any(other.model_copy(update={"name": ""}) == one for other in before)
            named = {"name": f"{one.kind}_{len(before) + 1}"}
            made.append(one if one.name or alike or not before else one.model_copy(update=named))
        return tuple(made)
