"""The order rules of definitions 8, written once for both engines.

`Orders` is what a config or a strategy says. `Rules` is the same as plain numbers, and the
functions below it are the decisions taken at each bar's close; the Backtrader strategy calls them
as Python, the fast engine compiles them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from hpi_bt.kernels.compiler import njit
from hpi_bt.settings import refusal
from hpi_bt.sources.base import Settings

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _MetaModel
else:
    _MetaModel = type(Settings)

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

NO_EXIT, SIGNAL, REVERSE, TIME, FLAT, LATE_FLAT, STOP, TARGET, RUIN, WINDOW_END = range(10)
#: What `exit_reason` says in trades.csv, by the codes above.
REASONS = (
    "", "signal", "reverse", "time", "flat", "late_flat", "stop", "target", "ruin", "window end",
)  # fmt: skip

FIXED, PERCENT, RISK = range(3)

#: Stands for a price of exactly 0, which Backtrader takes as "no price": the close.
TINY = 1e-300

#: By so much of a step a size may fall short of a multiple of it and still be one: 0.3 / 0.1 is
#: 2.9999999999999996. Above a million steps a float is coarser than 1e-9, hence the share.
_STEP_TOLERANCE, _STEP_SHARE = 1e-9, 1e-15
_MOST_STEPS = 2.0**53  # above it every float is a whole number of steps


class _MetaRules(_MetaModel):
    """Says in one line what is wrong with order rules made in Python: `Orders(stp=...)`."""

    def __call__(cls: Any, *args: Any, **fields: Any) -> Any:  # noqa: N805 - a metaclass
        try:
            return super().__call__(*args, **fields)
        except ValidationError as invalid:
            raise refusal(cls, invalid, cls.__name__) from None


class _RuleSettings(Settings, metaclass=_MetaRules):
    """Base of everything about orders that a config or a strategy may say."""


class Size(_RuleSettings):
    """How large an entry is: contracts or shares, percent of equity, or percent at risk."""

    kind: Literal["fixed", "percent", "risk"] = "percent"
    amount: Positive | None = None
    """Shares or contracts, for kind fixed."""
    percent: Positive | None = None
    """Percent of equity: invested (kind percent), or lost at the stop (kind risk)."""

    def model_post_init(self, _: object) -> None:
        """Refuse a kind without its number."""
        wanted = "amount" if self.kind == "fixed" else "percent"
        other = "percent" if wanted == "amount" else "amount"
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f"size of kind {self.kind} wants {wanted} and not {other}")


class AtrDistance(_RuleSettings):
    """A distance from the executed price in average true ranges of the signal bar."""

    kind: Literal["atr"] = "atr"
    period: Annotated[int, Field(ge=1)] = 14
    multiple: Positive = 2.0


class ProfitTarget(_RuleSettings):
    """A profit target, in average true ranges of the stop's period."""

    kind: Literal["atr"] = "atr"
    multiple: Positive = 3.0


class Window(_RuleSettings):
    """The part of the session in which entries are allowed, by minutes from its open."""

    after_open_minutes: Annotated[float, Field(ge=0)] = 0.0
    length_minutes: Positive = 120.0


class Orders(_RuleSettings):
    """Everything about orders that is not the signal (definitions 8)."""

    size: Size = Size(kind="percent", percent=95.0)
    stop: AtrDistance | None = None
    target: ProfitTarget | None = None
    atr_period: Annotated[int, Field(ge=1)] | None = None
    """Bars of the average true range; the stop's period where there is a stop, else 14."""
    time_stop_bars: Annotated[int, Field(ge=1)] | None = None
    """Bars from the fill bar's open to the exit's."""
    window: Window | None = None
    flat_at_close: bool = False
    flat_minutes: Positive | None = None
    """Minutes before the close from which there is no position; the bar length by default."""
    direction: Literal["both", "long", "short"] = "both"
    max_leverage: Positive = 1.0
    """Most that a position may be worth, in multiples of equity; of a future the margin counts."""
    cash_buffer: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Share of equity that no entry takes, so that a worse open does not reject it."""
    size_step: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    """Smallest unit traded; 0 allows fractions."""

    def model_post_init(self, _: object) -> None:
        """Refuse sizing by risk without a stop, and a fixed size that cannot be traded."""
        if self.size.kind == "risk" and self.stop is None:
            raise ValueError("size of kind risk needs a stop; add stop: {kind: atr, multiple: 2.0}")
        amount, step = self.size.amount, self.size_step
        if amount is not None and step > 0.0 and not _is_multiple(amount, step):
            below = math.floor(amount / step) * step
            near = f"{below:.12g} or {below + step:.12g}" if below > 0.0 else f"{step:.12g}"
            raise ValueError(
                f"size.amount {amount:.12g} is no multiple of size_step {step:.12g}; choose "
                f"{near}, or a smaller size_step (0 allows any fraction)"
            )

    @property
    def period(self) -> int:
        """Bars of the average true range that stop and target use."""
        if self.stop is not None:
            return self.stop.period
        return self.atr_period or 14

    def refuse_daily(self, bar_minutes: float) -> None:
        """Raise ValueError where daily bars meet a rule that needs the time of day."""
        if bar_minutes >= 1440.0 and (self.window is not None or self.flat_at_close):
            name = "window" if self.window is not None else "flat_at_close"
            raise ValueError(
                f"{name} needs intraday bars, these are daily; remove orders.{name} (a feed of "
                "your own is daily unless it says timeframe=bt.TimeFrame.Minutes)"
            )

    def rules(self, *, bar_minutes: float, multiplier: float = 1.0, margin: float = 0.0) -> Rules:
        """Return these orders as plain numbers for one market.

        Parameters
        ----------
        bar_minutes : float
            Length of a bar.
        multiplier : float, default=1
            Money per point and contract.
        margin : float, default=0
            Margin per contract of a future; 0 for stocks.
        """
        self.refuse_daily(bar_minutes)
        window = self.window
        return Rules(
            longs=self.direction != "short",
            shorts=self.direction != "long",
            size_kind=("fixed", "percent", "risk").index(self.size.kind),
            size_amount=float(self.size.amount or self.size.percent or 0.0),
            size_step=self.size_step,
            cash_buffer=self.cash_buffer,
            max_leverage=self.max_leverage,
            multiplier=float(multiplier),
            margin=float(margin),
            stop=self.stop.multiple if self.stop else 0.0,
            target=self.target.multiple if self.target else 0.0,
            time_stop=self.time_stop_bars or 0,
            opens=window.after_open_minutes if window else -math.inf,
            closes=window.after_open_minutes + window.length_minutes if window else math.inf,
            flat=self.flat_at_close,
            flat_minutes=self.flat_minutes or bar_minutes,
        )


def _is_multiple(amount: float, step: float) -> bool:
    """Return whether an amount is a whole number of steps, at least one."""
    steps = amount / step
    if steps >= _MOST_STEPS:
        return True
    away = abs(steps - round(steps))
    return round(steps) >= 1 and away <= max(_STEP_TOLERANCE, steps * _STEP_SHARE)


class Rules(NamedTuple):
    """`Orders` for one market as plain numbers; 0 means "no such rule"."""

    longs: bool
    shorts: bool
    size_kind: int
    size_amount: float
    size_step: float
    cash_buffer: float
    max_leverage: float
    multiplier: float
    margin: float
    stop: float
    target: float
    time_stop: int
    opens: float
    closes: float
    flat: bool
    flat_minutes: float


@njit(cache=True, nogil=True)
def allowed_target(rules: Rules, target: float) -> int:
    """Return the target as -1, 0 or +1; NaN and a forbidden side are 0."""
    if target > 0.0 and rules.longs:
        return 1
    if target < 0.0 and rules.shorts:
        return -1
    return 0


@njit(cache=True, nogil=True)
def exit_code(
    rules: Rules,
    side: int,
    target: int,
    bars_held: int,
    new_session: bool,
    minutes_left: float,
) -> int:
    """Return why a position of `side` must be left at the next open, or NO_EXIT.

    bars_held counts closes from the fill bar's, which is 1; new_session tells whether the
    session differs from that of the fill bar. Flat exits come first, as they forbid an entry; an
    opposite target comes before the time stop, as it reverses.
    """
    if rules.flat and new_session:
        return LATE_FLAT
    if rules.flat and minutes_left <= rules.flat_minutes:
        return FLAT
    if target == -side:
        return REVERSE
    if rules.time_stop > 0 and bars_held >= rules.time_stop:
        return TIME
    if target == 0:
        return SIGNAL
    return NO_EXIT


@njit(cache=True, nogil=True)
def may_enter(
    rules: Rules,
    side: int,
    target: int,
    exit_now: int,
    blocked: int,
    atr: float,
    minutes_open: float,
    minutes_left: float,
) -> bool:
    """Return whether an entry to `target` is sent at this close.

    `side` is the position's (0 when flat), `blocked` the side that a stop, a target price or a
    time exit has closed to new entries until the target leaves it.
    """
    if target in (0, side, blocked) or exit_now not in (NO_EXIT, REVERSE):
        return False
    needs_atr = rules.stop > 0.0 or rules.target > 0.0 or rules.size_kind == RISK
    if needs_atr and not atr > 0.0:
        return False
    windowed = rules.closes < math.inf  # a data without hours has NaN minutes
    if windowed and not rules.opens < minutes_open <= rules.closes:
        return False
    return not (rules.flat and minutes_left <= rules.flat_minutes)


@njit(cache=True, nogil=True)
def entry_size(rules: Rules, equity: float, price: float, atr: float) -> tuple[float, bool]:
    """Return the size to send (0 = too small) and whether a cap made it smaller.

    equity and price are those of the signal bar's close; a price below 0 counts by its size. The
    cap leaves `cash_buffer` of equity free, whatever the kind of size.
    """
    unit = rules.margin if rules.margin > 0.0 else abs(price) * rules.multiplier
    cap = math.inf
    if unit > 0.0:
        leverage = 1.0 if rules.margin > 0.0 else rules.max_leverage
        cap = leverage * (1.0 - rules.cash_buffer) * equity / unit
    if rules.size_kind == FIXED:
        size = rules.size_amount
    elif rules.size_kind == PERCENT:
        size = rules.size_amount / 100.0 * equity / unit if unit > 0.0 else 0.0
    else:
        size = rules.size_amount / 100.0 * equity / (rules.stop * atr * rules.multiplier)
    capped = size > cap * (1.0 + 1e-9)
    size = max(min(size, cap), 0.0)
    if rules.size_step > 0.0:
        steps = size / rules.size_step
        if steps < _MOST_STEPS:
            slack = max(_STEP_TOLERANCE, steps * _STEP_SHARE)
            size = math.floor(steps + slack) * rules.size_step
    return size, capped


@njit(cache=True, nogil=True)
def stop_price(rules: Rules, side: int, executed: float, atr: float) -> float:
    """Return the protective stop's price; `atr` is the signal bar's."""
    return executed - side * rules.stop * atr or TINY


@njit(cache=True, nogil=True)
def target_price(rules: Rules, side: int, executed: float, atr: float) -> float:
    """Return the profit target's price; `atr` is the signal bar's."""
    return executed + side * rules.target * atr or TINY
