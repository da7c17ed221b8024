"""What the distances of stamps say about the length of a bar, and refusals where they deny it."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pandas as pd

from hpi_bt.arrays import FloatArray, IntArray
from hpi_bt.errors import InputError
from hpi_bt.sources.calendars import DAY, MINUTE
from hpi_bt.sources.stamps import StampRules

_SAME = 0.05  # relative: a step that counts as the declared length
_ENOUGH = 5  # steps of which half are alike
_RARE = 0.01  # share of steps that is none
_SPARSE = 5.0  # days between dates that are no daily bars
_WIDE = 1.6  # times the declared length


def refuse_other_length(
    begins: IntArray,
    opens: IntArray,
    closes: IntArray,
    rules: StampRules,
    *,
    joined: bool,
    hint: str = "",
) -> None:
    """Refuse a `bar_minutes` below a day that the stamps contradict.

    Parameters
    ----------
    begins, opens, closes : ndarray of shape (n,)
        Stamps, and open and close of the session of each (UTC ns).
    rules : StampRules
        With `bar_minutes` and `bar_label`.
    joined : bool
        Rows of a joined file that are labelled by their close are moments: their length moves
        nothing, so that they may be far apart.
    hint : str, default=""
        What else may be wrong, for the message.

    Raises
    ------
    InputError
        Most bars of a session lie closer than `bar_minutes`; or at least half lie the same longer
        step apart and as good as none the declared one; or each session has one short bar alone, at
        the same time of day.
    """
    minutes = float(rules.bar_minutes or 0.0)
    order = np.argsort(begins, kind="stable")
    begins, opens, closes = begins[order], opens[order], closes[order]
    inner, single = _steps_within(begins, opens, rules)
    if len(inner) and np.mean(inner < minutes * (1 - _SAME)) > 0.5:
        raise _contradiction(
            f"usually {np.median(inner):g} minutes apart within a session", rules, hint
        )
    if joined and rules.bar_label == "close":
        return
    inner = np.concatenate([inner, single[single > minutes]])  # a shorter one may be cut
    if len(inner) >= _ENOUGH:
        usual = float(np.median(inner))  # which half of the steps being alike are
        alike = np.mean(np.abs(inner - usual) <= _SAME * usual) >= 0.5
        rare = np.mean(np.abs(inner - minutes) <= _SAME * minutes) < _RARE
        if rare and alike and usual > minutes * (1 + _SAME):
            raise _contradiction(
                f"{usual:g} minutes apart within a session, never {minutes:g}", rules, hint
            )
    alone = len(opens) >= 3 and not (np.diff(opens) == 0).any()
    if alone and minutes < 0.5 * np.median(closes - opens) / MINUTE and _at_one_time(begins, opens):
        raise _contradiction("at least a day apart", rules, hint)


def _steps_within(
    begins: IntArray, sessions: IntArray, rules: StampRules
) -> tuple[FloatArray, FloatArray]:
    """Return the minutes between bars of one session, and those that are a session's only ones.

    Bars may be cut at its ends: the first step of open labels and the last of close labels say
    nothing, where a session has more.
    """
    steps, same = np.diff(begins) / MINUTE, np.diff(sessions) == 0
    first = np.r_[True, ~same[:-1]] if len(same) else same
    last = np.r_[~same[1:], True] if len(same) else same
    cut = last if rules.bar_label == "close" else first
    given = same & (steps > 0.0)
    return np.asarray(steps[given & ~cut]), np.asarray(steps[given & first & last])


def _at_one_time(begins: IntArray, opens: IntArray) -> bool:
    """Return whether most stamps, at least three, have one time of day, in session or by UTC."""
    counts = (np.unique(at, return_counts=True)[1] for at in (begins - opens, begins % DAY))
    return max(int(count.max()) for count in counts) > max(2, 0.5 * len(begins))


def _contradiction(found: str, rules: StampRules, hint: str) -> InputError:
    return InputError(
        f"is {rules.bar_minutes:g}, but the stamps are {found}",
        where=rules.name,
        field="bar_minutes",
        remedy="give the length that the bars have (1440 for daily bars)" + hint,
    )


def usual_step(days: IntArray) -> float:
    """Return the median distance of different days; NaN for fewer than three."""
    steps = np.diff(np.unique(days))
    return float(np.median(steps)) if len(steps) > 1 else float("nan")


def are_daily(days: IntArray) -> bool:
    """Return whether dates can be those of daily bars: not a week, a month or more apart."""
    steps = np.diff(np.unique(days))
    next_day = int((steps == 1).sum())
    many = next_day >= 3 and next_day >= 0.1 * len(steps)
    return len(steps) < 2 or bool(np.median(steps) < _SPARSE) or many


def refuse_other_days(days: IntArray, length: float, rules: StampRules) -> None:
    """Refuse a length of several days that the dates contradict; `length` is in days."""
    usual = usual_step(days)
    if not (usual < length / _WIDE or usual > length * _WIDE):
        return
    raise InputError(
        f"says {length:g} days, but the dates are {_apart(usual)}",
        where=rules.name,
        field="bar" if rules.bar else "bar_minutes",
        remedy="give the length that the bars have (bar: 1d, 1w or 1mo)",
    )


def refuse_no_days(stamps: pd.DatetimeIndex, rules: StampRules) -> None:
    """Refuse daily bars, or longer ones, whose stamps are minutes or hours apart."""
    steps = np.diff(np.unique(stamps.as_unit("ns").asi8))
    if len(steps) and np.median(steps) < DAY / 2:
        raise InputError(
            f"is {rules.bar_minutes or 1440:g}, but the stamps are "
            f"{np.median(steps) / MINUTE:g} minutes apart",
            where=rules.name,
            field="bar_minutes",
            remedy="give the length that the bars have, or choose one symbol with select",
        )


def refuse_daily_dates(days: IntArray, rules: StampRules) -> NoReturn:
    """Refuse dates that are too far apart for daily bars."""
    raise InputError(
        f"dates such as {np.datetime64(int(days.min()), 'D')} are {_apart(usual_step(days))}; "
        "daily bars are not",
        where=rules.name,
        remedy="say under source how long a bar is (bar: 1w or 1mo) and which end of it its date "
        "marks (bar_label: open or close)",
    )


def _apart(days: float) -> str:
    near = {1.0: "a day", 7.0: "about a week", 30.0: "about a month"}
    word = next((text for size, text in near.items() if abs(days - size) <= 0.2 * size), "")
    return f"{word or f'{days:g} days'} apart"
