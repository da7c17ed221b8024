"""What the author of an indicator writes wrong is refused in a line that says what to write."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import backtrader as bt
import numpy as np
import pytest
from numba import njit

import hpi_bt as hb
from indicators.bench import MODES, clean_frame, every_mode, record, same, table


class Pair(NamedTuple):
    up: Any
    down: Any


def scaled(close, *, by=2.0, state=None):
    return close * by


def pair(close, *, by=2.0, state=None):
    return Pair(close * by, -close)


def declared(*bases: type, **members: Any) -> Any:
    """An indicator of one line that is right but for `members`."""
    usual = {
        "inputs": ("close",),
        "lines": ("tilt",),
        "params": {"by": 2.0},
        "kernel": staticmethod(scaled),
    }
    return type("Tilt", bases or (hb.KernelIndicator,), usual | members)


def seen(indicator: Any, mode: str = "default", **params: Any) -> Any:
    run = record(
        lambda s: [indicator(s.data, **params)], hb.HedgeData(clean_frame()), **MODES[mode]
    )
    return table(run.seen)


def test_what_is_right_is_not_refused():
    assert same(seen(declared())[:, 0], 2.0 * clean_frame()["close"].to_numpy())


@every_mode
def test_fields_fill_the_lines_of_their_names_in_whatever_order(mode):
    close = clean_frame()["close"].to_numpy()
    turned = declared(lines=("down", "up"), kernel=staticmethod(pair))
    assert same(seen(turned, mode), np.stack([-close, 2.0 * close], axis=1))
    one = declared(lines=("down",), kernel=staticmethod(pair))
    assert same(seen(one, mode)[:, 0], -close)


@every_mode
def test_a_plain_tuple_fills_them_in_order_and_lists_and_whole_numbers_are_numbers(mode):
    def kernel(close, *, by=2.0, state=None):
        return (close * by).tolist(), close > 200.0

    close = clean_frame()["close"].to_numpy()
    rows = seen(declared(lines=("a", "b"), kernel=staticmethod(kernel)), mode)
    assert same(rows, np.stack([2.0 * close, close > 200.0], axis=1))


def no_state(close, *, by=2.0):
    return close * by


def by_place(close, by=2.0, state=None):
    return close * by


def two_series(close, volume, *, by=2.0, state=None):
    return close * by


def demanding(close, *, by, state=None):
    return close * by


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"kernel": scaled},
        "Tilt: kernel: scaled would be given the object itself as its first series; write kernel = "
        "staticmethod(scaled)",
    ),
    (
        {"kernel": njit(scaled)},
        "Tilt: kernel: scaled would be given the object itself as its first series; write kernel = "
        "staticmethod(scaled)",
    ),
    (
        {"kernel": staticmethod(no_state)},
        "Tilt: kernel: no_state takes no state, so it cannot go on bar by bar; write def "
        "no_state(close, *, by=2.0, state=None): and hand part(state, 'ema') and so on to what it "
        "calls",
    ),
    (
        {"kernel": staticmethod(by_place)},
        "Tilt: kernel: by_place takes 'by' by place, so it is no option and no parameter; write "
        "def by_place(close, *, by=2.0, state=None):",
    ),
    (
        {"kernel": staticmethod(two_series)},
        "Tilt: kernel: two_series takes 2 series (close, volume), the class names 1 (close); name "
        "them in inputs and optional_inputs, in the kernel's order",
    ),
    (
        {"inputs": ("close", "volume")},
        "Tilt: kernel: scaled takes 1 series (close), the class names 2 (close, volume); name them "
        "in inputs and optional_inputs, in the kernel's order",
    ),
    (
        {"kernel": staticmethod(demanding)},
        "demanding: option 'by' has no default; write by=... in its signature",
    ),
    (
        {"params": {}},
        "Tilt: kernel: scaled has the option 'by', params has not; write params = "
        "hb.defaults_of(scaled)",
    ),
    (
        {"params": {"by": 2.0, "byy": 3.0}},
        "Tilt: params: byy: no option of scaled and read by nothing (did you mean 'by'?); rename "
        "or remove it",
    ),
    (
        {"params": {"by": 2.0, "length": 3.0}},
        "Tilt: params: length: no option of scaled and read by nothing (it has by); rename or "
        "remove it",
    ),
    ({"lines": ()}, "Tilt: lines: is empty; write lines = ('my_line',)"),
    (
        {"__init__": lambda self: None},
        "Tilt: __init__: does not call super().__init__(), so KernelIndicator never begins its "
        "work; write super().__init__() as its first line",
    ),
]


@pytest.mark.parametrize(("members", "message"), WRONG, ids=[m for _, m in WRONG])
def test_a_declaration_that_cannot_work_says_what_to_write(members, message):
    with pytest.raises(hb.InputError) as caught:
        seen(declared(**members))
    assert str(caught.value) == message


TEXTS = [("lines", "tilt"), ("inputs", "close"), ("optional_inputs", "volume")]


@pytest.mark.parametrize(("field", "value"), TEXTS)
def test_one_name_in_brackets_is_no_list(field, value):
    message = rf"Tilt: {field}: is the text '{value}', .*write {field} = \('{value}',\)"
    with pytest.raises(hb.InputError, match=message):
        declared(**{field: value})


@pytest.mark.parametrize("params", [("by", 2.0), ("by",), "by", [("by", 2.0, 3.0)]])
def test_params_that_are_no_names_with_values_are_refused(params):
    with pytest.raises(hb.InputError, match=r"Tilt: params: .* no mapping .*write params = dict\("):
        declared(params=params)


def test_params_may_be_pairs_as_backtrader_has_them():
    assert len(seen(declared(params=(("by", 3.0),))))


def test_an_indicator_without_a_kernel_says_how_to_give_one():
    bare = type("Tilt", (hb.KernelIndicator,), {"inputs": ("close",), "lines": ("tilt",)})
    with pytest.raises(hb.InputError, match=r"Tilt: has no kernel; write kernel = staticmethod\("):
        seen(bare)


def test_a_line_that_is_there_already_is_refused_as_one_of_the_two_would_stay_empty():
    with pytest.raises(hb.InputError, match="Mine: lines: names 'rsi', which is there already"):
        type("Mine", (hb.HerrickRSI,), {"lines": ("rsi",)})


def returning(out: Any) -> Any:
    def kernel(close, *, by=2.0, state=None):
        return out(close)

    return staticmethod(kernel)


RETURNS: list[tuple[tuple[str, ...], Any, str]] = [
    (("a", "b"), lambda x: x, "returns 1 array; wanted one for each of the lines a, b; return"),
    (("a", "b"), lambda x: (x, x, x), "returns 3 arrays; wanted one for each of the lines a, b"),
    (("a",), lambda x: (x, x), "returns 2 arrays; wanted one; return a alone"),
    (("a",), lambda x: x[:-1], "for a; wanted shape ("),
    (("a", "b"), lambda x: (x, np.append(x, 1.0)), "for b; wanted shape ("),
    (("a",), lambda x: None, "returns nothing for a; wanted shape ("),
    (("a",), lambda x: 3.0, "an array of shape () for a"),
    (("a",), lambda x: np.stack([x, x]), "an array of shape (2, "),
    (("a",), lambda x: ["x"] * len(x), "returns a list for a, no numbers; return one number a bar"),
    (("up", "dwn"), lambda x: Pair(x, x), "no field 'dwn' in what it returns (did you mean 'down'"),
]


@pytest.mark.parametrize("mode", ["default", "runonce=False"])
@pytest.mark.parametrize(("lines", "out", "message"), RETURNS, ids=[m for *_, m in RETURNS])
def test_what_a_kernel_returns_must_fit_the_lines(lines, out, message, mode):
    with pytest.raises(hb.InputError) as caught:
        seen(declared(lines=lines, kernel=returning(out)), mode)
    assert str(caught.value).startswith("Tilt: kernel: ")
    assert message in str(caught.value)


def test_a_missing_input_names_the_class_the_lines_that_there_are_and_the_remedy():
    message = (
        r"Tilt: the data has no line 'closing' \(found: close, .*\); give a feed that has it, such "
        r"as hpi_bt.HedgeData of a frame with that column"
    )
    with pytest.raises(TypeError, match=message):
        seen(declared(inputs=("closing",)))


def test_a_keyword_that_is_no_parameter_is_named_with_the_one_that_is_meant():
    for indicator, wrong, right in (
        (hb.HedgePressureIndex, {"smothing": 3}, "smoothing"),
        (hb.HerrickRSI, {"rsi_len": 3}, "rsi_length"),
    ):
        ((name, _),) = wrong.items()
        message = rf"{name}: no such parameter \(did you mean '{right}'\?\); rename or remove it"
        with pytest.raises(hb.InputError, match=message):
            seen(indicator, **wrong)


# what is unusual and right


def test_parameters_that_own_code_reads_are_not_idle():
    class Read(declared()):  # type: ignore[misc]
        lines = ("far",)
        params = dict(limit=200.0, named=1.0, nested=2.0)

        def __init__(self):
            super().__init__()
            factors = [getattr(self.p, name) for name in ("named",)]
            factors += [f() for f in [lambda: self.p.nested]]
            self.lines.far = self.lines.tilt > self.p.limit * max(factors)

    assert set(seen(Read)[:, 1]) == {0.0, 1.0}


def test_a_misspelt_option_is_found_among_parameters_that_own_code_reads():
    class Read(declared()):  # type: ignore[misc]
        params = dict(limit=210.0, byy=3.0)

        def next(self):
            self.limit = self.p.limit

    with pytest.raises(hb.InputError, match=r"Read: params: byy: .*did you mean 'by'"):
        seen(Read)


def test_parameters_that_a_chart_names_are_not_idle():
    chart = {"tilt": dict(levels=["-$far", 0.0, "$far"], color="$ink")}
    assert len(seen(declared(params=dict(by=2.0, far=1.0, ink="red"), chart=chart)))


def test_a_kernel_may_be_inherited_from_a_mix_in_or_be_a_partial():
    class HasKernel:
        kernel = staticmethod(scaled)

    wanted = 2.0 * clean_frame()["close"].to_numpy()
    members = {"inputs": ("close",), "lines": ("tilt",), "params": {"by": 2.0}}
    mixed = type("Mixed", (HasKernel, hb.KernelIndicator), members)
    assert same(seen(mixed)[:, 0], wanted)
    thrice = functools.partial(lambda close, *, by, state=None: close * by, by=2.0)
    assert same(seen(declared(kernel=staticmethod(thrice)))[:, 0], wanted)


def test_a_kernel_of_any_options_is_taken_at_its_word():
    def kernel(close, **options):
        return close

    assert len(seen(declared(kernel=staticmethod(kernel), params=dict(anything=1))))


def test_a_subclass_may_add_lines_and_keep_the_kernel():
    class More(declared()):  # type: ignore[misc]
        lines = ("mean",)

        def __init__(self):
            super().__init__()
            self.lines.mean = bt.ind.SMA(self.lines.tilt, period=3)

    rows = seen(More)
    assert np.isfinite(rows[5:, 1]).all()
