"""`KernelIndicator`: a kernel and its names become Backtrader lines.

Whole-array runs (`runonce`) call the kernel once; every other mode (bar by bar, exactbars,
replay, live) calls it with one bar and its carried state. Both give the same numbers.
"""

from __future__ import annotations

import array
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

import backtrader as bt
import numpy as np
import pandas as pd
from backtrader.lineseries import LineSeriesStub

from hpi_bt.arrays import FloatArray, copy_state
from hpi_bt.errors import InputError, Note
from hpi_bt.feeds import RESAMPLE_FIRST, check_feed
from hpi_bt.indicators.authoring import (
    Kernel,
    call_signature,
    check_arguments,
    check_begun,
    check_kernel,
    check_pairs,
    check_texts,
    defaults_of,
    kernel_home,
)
from hpi_bt.indicators.bulk import Bulk
from hpi_bt.indicators.clock import Clock
from hpi_bt.indicators.outputs import Outputs

#: {parameter: {value: {input: the column that takes its place}}}; the first value is the default.
StandIns: TypeAlias = Mapping[str, Mapping[str, Mapping[str, str]]]


class Inputs(NamedTuple):
    """The columns that a kernel takes, in its order; optional ones may be absent (NaN)."""

    required: tuple[str, ...]
    optional: tuple[str, ...]


def inputs_under(declared: Any, params: Mapping[str, Any]) -> Inputs:
    """Return the columns that a class takes under some parameters, as its `stand_ins` say.

    Raises
    ------
    InputError
        A parameter has a value for which the class declares nothing.
    """
    instead: dict[str, str] = {}
    for name, choices in declared.stand_ins.items():
        value = params.get(name, next(iter(choices)))
        if value not in choices:
            raise InputError(
                f"{declared.__name__}: {name} must be {' or '.join(choices)}, got {value!r}"
            )
        instead |= choices[value]
    required, optional = declared.inputs, declared.optional_inputs
    return Inputs(
        tuple(instead.get(n, n) for n in required), tuple(instead.get(n, n) for n in optional)
    )


class _Kernel(Bulk):
    """The private child that runs the kernel.

    It is a child because an indicator class with both `next` and `once` silently breaks the
    subclasses that its users write.
    """

    csv = False
    plotinfo = dict(plot=False)

    def attach(
        self, kernel: Kernel, sources: list[Any], options: dict[str, Any], outputs: Outputs
    ) -> None:
        """Take the kernel, one line (or None) for each of its series, its options and outputs."""
        self._kernel, self._sources, self._options = kernel, sources, options
        self._outputs = outputs
        self._state: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self._bar = 0

    def _run(
        self, series: list[FloatArray], state: dict[str, Any] | None, n_bars: int
    ) -> list[FloatArray]:
        return self._outputs.arrays(self._kernel(*series, **self._options, state=state), n_bars)

    def next(self) -> None:
        if len(self) != self._bar:
            self._bar, self._before = len(self), copy_state(self._state)
        else:  # the same bar again: replay, resample, a second feed
            self._state = copy_state(self._before)
        series = [np.array([np.nan if s is None else s[0]]) for s in self._sources]
        for line, values in zip(self.lines, self._run(series, self._state, 1), strict=True):
            line[0] = values[0]

    prenext = nextstart = next  # the warm-up bars feed the state

    def preonce(self, start: int, end: int) -> None:
        """Do nothing: `once` takes the whole array."""

    oncestart = preonce

    def once(self, start: int, end: int) -> None:
        n = self.buflen()
        if any(s is not None and len(s.array) < n for s in self._sources):
            raise ValueError("the inputs of an indicator must be of one length; join them first")
        series = [
            np.full(n, np.nan) if s is None else np.array(s.array[:n], dtype=np.float64)
            for s in self._sources
        ]
        for line, values in zip(self.lines, self._run(series, None, n), strict=True):
            line.array[:n] = array.array("d", values.tobytes())


def _kernel_class(n_lines: int) -> type[_Kernel]:
    """Return the child class with that many lines; it lives in this module, so it pickles."""
    name = f"_Kernel{n_lines}"
    if name not in globals():
        names = tuple(f"out{i}" for i in range(n_lines))
        globals()[name] = type(name, (_Kernel,), {"lines": names, "__module__": __name__})
    made: type[_Kernel] = globals()[name]
    return made


def __getattr__(name: str) -> Any:
    if name.startswith("_Kernel") and name[7:].isdigit():
        return _kernel_class(int(name[7:]))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def kernel_lines(
    kernel: Kernel,
    clocks: list[Any],
    sources: list[Any],
    options: dict[str, Any],
    outputs: Outputs,
) -> Any:
    """Return a child indicator whose lines are the `outputs` of `kernel` over the lines `sources`.

    `clocks` are the datas that it ticks with; a source that is None is NaN throughout.
    """
    child = _kernel_class(len(outputs.names))(*clocks)
    child.attach(kernel, sources, options, outputs)
    return child


def lines_by_name(
    data: Any, required: tuple[str, ...], optional: tuple[str, ...], *, owner: str
) -> list[Any]:
    """Return the lines of one data by name; optional ones that it lacks are None.

    A missing `session` is the local date and a missing `slot` the minute of the day. `owner` is
    the class that wants them, for messages.

    Raises
    ------
    TypeError
        A required line is missing; the message lists those found.
    """
    found = tuple(data.lines.getlinealiases()) if hasattr(data, "lines") else ()
    feed = feed_of(data)
    check_feed(feed, [n for n in (*required, *optional) if n in found], owner)
    missing = [name for name in required if name not in found]
    if missing:
        remedy = "give a feed that has it, such as hpi_bt.HedgeData of a frame with that column"
        if feed is not None and feed._clone:
            remedy = f"a copy that Backtrader makes of a feed has prices alone: {RESAMPLE_FIRST}"
        lines = ", ".join(found)
        raise TypeError(f"{owner}: the data has no line {missing[0]!r} (found: {lines}); {remedy}")
    wanted = [getattr(data.lines, n) if n in found else None for n in (*required, *optional)]
    made = None
    for i, name in enumerate((*required, *optional)):
        if wanted[i] is None and name in ("session", "slot"):
            made = clock_of(data, "session" not in found) if made is None else made
            wanted[i] = getattr(made.lines, name)
    return wanted


def clock_of(line: Any, sessions: bool) -> Any:
    """Return an indicator with the date and the minute of each bar of the feed behind a line.

    `sessions` says whether the dates stand for sessions.
    """
    clock: Any = Clock
    return clock(data_of(line), sessions=sessions)


def feed_of(line: Any) -> Any:
    """Return the feed behind a line, None where there is none."""
    try:
        return data_of(line)
    except AttributeError:
        return None


class _MetaKernelIndicator(type(Bulk)):  # type: ignore[misc]
    """Refuses what the author of a class has written wrong: see `hpi_bt.indicators.authoring`."""

    def __new__(meta, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> Any:
        """Return the class; names that are no lists, or lines named twice, are refused."""
        check_texts(name, members, ("inputs", "optional_inputs", "lines"))
        check_pairs(name, members)
        cls = super().__new__(meta, name, bases, members)
        lines = cls.lines._getlines()
        twice = next((n for i, n in enumerate(lines) if n in lines[:i]), None)
        if twice is not None:
            raise InputError(
                f"names {twice!r}, which is there already; one of the two would stay empty",
                where=name,
                field="lines",
                remedy="leave it out",
            )
        cls.__signature__ = call_signature(cls.params._getpairs())
        return cls

    def doinit(cls, made: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse keywords that are no parameters."""
        check_arguments(cls, kwargs)
        return super().doinit(made, *args, **kwargs)

    def dopostinit(cls, made: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse an `__init__` that has not called that of `KernelIndicator`."""
        check_begun(made, "_kernel_child", base=KernelIndicator)
        return super().dopostinit(made, *args, **kwargs)


class KernelIndicator(Bulk, metaclass=_MetaKernelIndicator):
    """Base of every indicator here: declare `inputs`, `lines`, `params` and `kernel`.

    `MyIndicator(data)` takes its inputs by name from one data feed; `MyIndicator(a, b, ...)` takes
    one line for each input. Subclass it as any indicator: add lines in `__init__`, or override
    `next`. The first line is what the indicator stands for where a line is wanted: in `ind[0]`,
    `bt.ind.EMA(ind)`, `bt.ind.CrossOver(ind, 0)` and `cerebro.add_signal`.

    Attributes
    ----------
    inputs, optional_inputs : tuple of str
        Names of the kernel's series, in its order, the optional ones last. An optional line that
        the data lacks is NaN to the kernel.
    line_inputs : tuple of tuple of str
        Which inputs separate lines stand for, one entry for each accepted number of lines.
    stand_ins : dict
        Columns that take the place of inputs, by the value of a parameter:
        {"proxy": {"volume": {}, "gamma": {"put_volume": "put_gamma_volume"}}}.
    demo : bool
        True for an indicator whose numbers are made up from price: whatever shows it says DEMO.
    daily : bool
        True for an indicator that is meant for daily or weekly bars.
    chart : dict
        How the pages draw each line: {line: {pane, kind, color, ...}}; "$name" stands for the
        value of the parameter of that name, "-$name" for its negative.
    """

    csv = True
    daily: ClassVar[bool] = False
    inputs: ClassVar[tuple[str, ...]] = ()
    optional_inputs: ClassVar[tuple[str, ...]] = ()
    line_inputs: ClassVar[tuple[tuple[str, ...], ...]] = ()
    stand_ins: ClassVar[StandIns] = {}
    demo: ClassVar[bool] = False
    chart: ClassVar[dict[str, dict[str, Any]]] = {}
    kernel: ClassVar[Kernel]

    def __init__(self) -> None:
        super().__init__()
        outputs = self.outputs()
        options = {k: getattr(self.p, k) for k in defaults_of(self.kernel)}
        child = kernel_lines(self.kernel, self.datas, self._sources(), options, outputs)
        for line, name in zip(child.lines, outputs.names, strict=True):
            line.addbinding(getattr(self.lines, name))
        self._kernel_child = child

    @classmethod
    def outputs(cls) -> Outputs:
        """Return the lines that its kernel fills; what the author has written wrong is refused.

        Raises
        ------
        InputError
            The class lacks kernel or lines, or the two do not fit each other.
        """
        own: Any = cls
        home: Any = kernel_home(cls, KernelIndicator)
        names = home.lines._getlines()
        if not names:
            raise InputError(
                "is empty", where=cls.__name__, field="lines", remedy="write lines = ('my_line',)"
            )
        series = (*cls.inputs, *cls.optional_inputs)
        used = used_by_chart(cls.chart) | {*cls.stand_ins}
        check_kernel(cls, "kernel", series, own.params._getpairs(), used)
        return Outputs(cls.__name__, "kernel", tuple(names))

    @classmethod
    def inputs_for(cls, params: Mapping[str, Any]) -> Inputs:
        """Return the columns that it takes from a data under these parameters."""
        return inputs_under(cls, params)

    @classmethod
    def remarks(
        cls, frame: pd.DataFrame, lines: Mapping[str, FloatArray], options: Mapping[str, Any]
    ) -> list[Note]:
        """Return what a run should print about these lines, arrays of shape (n_bars,)."""
        return []

    def _sources(self) -> list[Any]:
        of_data = self.inputs_for(self.p._getkwargs())
        accepted = self.line_inputs or (self.inputs,)
        named = {len(names): names for names in accepted}
        if len(self.datas) == 1 and not (self.data.size() <= 1 and 1 in named):
            return lines_by_name(self.data, *of_data, owner=type(self).__name__)
        if len(self.datas) not in named:
            wanted = " or ".join(f"({', '.join(names)})" for names in accepted)
            raise TypeError(
                f"{type(self).__name__} takes one data with lines {', '.join(of_data.required)}, "
                f"or the lines {wanted}; got {len(self.datas)} inputs"
            )
        given = dict(zip(named[len(self.datas)], (d.lines[0] for d in self.datas), strict=True))
        for name, data in zip(given, self.datas, strict=True):
            check_feed(feed_of(data), [name], type(self).__name__)
        every = (*self.inputs, *self.optional_inputs)
        if {"session", "slot"} & (set(every) - set(given)):
            clock = clock_of(self.data, "session" not in given)
            given = {"session": clock.lines.session, "slot": clock.lines.slot} | given
        return [given.get(name) for name in every]


def param_named(value: Any) -> str:
    """Return the parameter that a value of a `chart` stands for, "$name" or "-$name"; else ""."""
    found = re.fullmatch(r"-?\$(\w+)", value) if isinstance(value, str) else None
    return found[1] if found else ""


def used_by_chart(chart: Any) -> set[str]:
    """Return the parameters that a `chart` names."""
    styles = chart.values() if isinstance(chart, Mapping) else ()
    values: Iterable[Any] = (v for s in styles if isinstance(s, Mapping) for v in s.values())
    every = (one for v in values for one in (v if isinstance(v, (list, tuple)) else [v]))
    return {param_named(one) for one in every}


def kernel_series(
    frame: pd.DataFrame, required: tuple[str, ...], optional: tuple[str, ...]
) -> list[FloatArray]:
    """Return a kernel's series from a frame; optional columns that it lacks are NaN.

    Raises
    ------
    InputError
        A required column is missing; the message lists those found.
    """
    missing = [c for c in required if c not in frame]
    if missing:
        found = ", ".join(map(str, frame.columns))
        name = frame.attrs.get("symbol", "data")
        raise InputError(f"{name}: no column {missing[0]!r} (found: {found}); join or map it")
    unknown = np.full(len(frame), np.nan)
    return [
        np.ascontiguousarray(frame[c].to_numpy(dtype=np.float64)) if c in frame else unknown
        for c in (*required, *optional)
    ]


def data_of(line: Any) -> Any:
    """Return the data feed behind a line, so that its clock can be read."""
    owner = line
    while not isinstance(owner, bt.AbstractDataBase):
        if isinstance(owner, LineSeriesStub):
            owner = owner.lines[0]
        elif getattr(owner, "_clock", None) is not None:
            owner = owner._clock
        else:
            owner = owner._owner
    return owner
