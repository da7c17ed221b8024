"""What the author of an indicator or a strategy may have written wrong, in one line each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import CodeType, FunctionType
from typing import Any

from hpi_bt.errors import InputError, did_you_mean

Kernel = Callable[..., Any]
_LIBRARIES = (
    *("backtrader.", "hpi_bt.indicators.base", "hpi_bt.indicators.bulk"),
    "hpi_bt.strategy.kernel_strategy",
)


def defaults_of(kernel: Kernel) -> dict[str, Any]:
    """Return the keyword options of a kernel with their defaults, `state` excepted.

    Raises
    ------
    InputError
        An option has no default.
    """
    options = {
        p.name: p.default
        for p in inspect.signature(kernel).parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name != "state"
    }
    for name, value in options.items():
        if value is inspect.Parameter.empty:
            raise InputError(
                f"option {name!r} has no default",
                where=_name_of(kernel),
                remedy=f"write {name}=... in its signature",
            )
    return options


def call_signature(params: Mapping[str, Any]) -> inspect.Signature:
    """Return how a class with these parameters is called, for `help` and editors."""
    kind = inspect.Parameter.KEYWORD_ONLY
    named = [inspect.Parameter(name, kind, default=value) for name, value in params.items()]
    return inspect.Signature([inspect.Parameter("datas", inspect.Parameter.VAR_POSITIONAL), *named])


def kernel_home(cls: type, base: type, attribute: str = "kernel") -> type:
    """Return the first class below `base` in a line of descent that has the kernel of `cls`."""
    own = getattr(cls, attribute, None)
    if own is None:
        raise InputError(
            f"has no {attribute}",
            where=cls.__name__,
            remedy=f"write {attribute} = staticmethod(my_kernel)",
        )
    heirs = (c for c in reversed(cls.__mro__) if issubclass(c, base))
    return next(c for c in heirs if getattr(c, attribute, None) is own)


def check_texts(name: str, members: Mapping[str, Any], fields: Iterable[str]) -> None:
    """Refuse one name in brackets, which is a text, where a class must list its names."""
    for field in fields:
        value = members.get(field)
        if isinstance(value, str):
            raise InputError(
                f"is the text {value!r}, no list of names",
                where=name,
                field=field,
                remedy=f"write {field} = ({value!r},)",
            )


def check_pairs(name: str, members: Mapping[str, Any]) -> None:
    """Refuse `params` that are no names with values, such as one pair without its comma."""
    params = members.get("params", {})
    named = isinstance(params, Mapping) or (
        isinstance(params, (tuple, list))
        and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in params)
    )
    if not named:
        raise InputError(
            f"{params!r} is no mapping of names to values",
            where=name,
            field="params",
            remedy="write params = dict(period=14)",
        )


def check_kernel(
    cls: Any, attribute: str, series: tuple[str, ...], params: Iterable[str], used: Iterable[str]
) -> None:
    """Refuse a kernel that could not be run, or not with what its class declares.

    Parameters
    ----------
    cls : type
        The class, whose `attribute` holds the kernel.
    series : tuple of str
        Names of the series that the class will give it.
    params : iterable of str
        Its parameters.
    used : iterable of str
        Those that something other than the kernel reads.

    Raises
    ------
    InputError
        It is no staticmethod, takes no `state`, takes other series or options than the class
        has, or nothing reads a parameter.
    """
    kernel = getattr(cls, attribute)
    name = _name_of(kernel)
    where: dict[str, str] = {"where": cls.__name__, "field": attribute}
    if not isinstance(inspect.getattr_static(cls, attribute), (staticmethod, classmethod)) and (
        hasattr(type(kernel), "__get__")
    ):
        raise InputError(
            f"{name} would be given the object itself as its first series",
            **where,
            remedy=f"write {attribute} = staticmethod({name})",
        )
    every = list(inspect.signature(kernel).parameters.values())
    free = {p.kind for p in every}
    if "state" not in {p.name for p in every} and inspect.Parameter.VAR_KEYWORD not in free:
        raise InputError(
            f"{name} takes no state, so it cannot go on bar by bar",
            **where,
            remedy=f"write def {name}({_with_state(every)}): and hand part(state, 'ema') and so on "
            "to what it calls",
        )
    _check_series(name, every, series, where)
    known = tuple(params)
    options = defaults_of(kernel)
    for option in options:
        if option not in known:
            raise InputError(
                f"{name} has the option {option!r}, params has not",
                **where,
                remedy=f"write params = hb.defaults_of({name})",
            )
    if inspect.Parameter.VAR_KEYWORD not in free:
        _check_params(cls, name, known, options, set(used))


def _with_state(every: list[inspect.Parameter]) -> str:
    """Return the parameters of a signature with `state` behind them."""
    bare = any(p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL) for p in every)
    return _spelt([*every, "state=None"] if bare else [*every, "*", "state=None"])


def _with_star(every: list[inspect.Parameter], first: str) -> str:
    """Return the parameters of a signature with a bare star before the one called `first`."""
    at = next(i for i, p in enumerate(every) if p.name == first)
    return _spelt([*every[:at], "*", *every[at:]])


def _spelt(parts: Iterable[object]) -> str:
    """Return the parameters as a signature has them, annotations left out."""
    words: list[str] = []
    for part in parts:
        if isinstance(part, inspect.Parameter):
            if part.kind is part.KEYWORD_ONLY and not any(w[0] == "*" for w in words):
                words.append("*")
            words.append(str(part.replace(annotation=part.empty)).replace(" ", ""))
        else:
            words.append(str(part))
    return ", ".join(words)


def _check_series(
    name: str, every: list[inspect.Parameter], series: tuple[str, ...], where: Mapping[str, str]
) -> None:
    kinds = inspect.Parameter
    placed = [
        p
        for p in every
        if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) and p.name != "state"
    ]
    loose = [p.name for p in placed if p.default is not kinds.empty]
    if loose:
        raise InputError(
            f"{name} takes {loose[0]!r} by place, so it is no option and no parameter",
            **where,
            remedy=f"write def {name}({_with_star(every, loose[0])}):",
        )
    many = any(p.kind is kinds.VAR_POSITIONAL for p in every)
    if len(placed) > len(series) or (len(placed) < len(series) and not many):
        takes = ", ".join(p.name for p in placed) or "none"
        raise InputError(
            f"{name} takes {len(placed)} series ({takes}), the class names {len(series)} "
            f"({', '.join(series)})",
            **where,
            remedy="name them in inputs and optional_inputs, in the kernel's order",
        )


def _check_params(
    cls: type, name: str, params: tuple[str, ...], options: Mapping[str, Any], used: set[str]
) -> None:
    """Refuse a parameter that nothing reads: its value would be passed over in silence."""
    words = set(_words(cls))
    idle = [p for p in params if p not in options and p not in used and p not in words]
    for param in idle:
        near = get_close_matches(param, options, n=1, cutoff=0.75)
        if near or not words:
            hint = f" (did you mean {near[0]!r}?)" if near else f" (it has {', '.join(options)})"
            raise InputError(
                f"no option of {name} and read by nothing{hint if options else ''}",
                where=cls.__name__,
                field=f"params: {param}",
                remedy="rename or remove it",
            )


def _words(cls: type) -> Iterator[str]:
    """Yield the names and texts in a class's own methods: what they may read parameters by."""
    for owner in cls.__mro__:
        if owner is object or owner.__module__.startswith(_LIBRARIES):
            continue
        for value in vars(owner).values():
            function = value.__func__ if isinstance(value, classmethod) else value
            function = function.fget if isinstance(function, property) else function
            if isinstance(function, FunctionType):
                yield from _code_words(function.__code__)


def _code_words(code: CodeType) -> Iterator[str]:
    yield from (*code.co_names, *code.co_freevars)
    for value in code.co_consts:
        if isinstance(value, CodeType):
            yield from _code_words(value)
        elif isinstance(value, str):
            yield value


def check_arguments(cls: Any, given: Iterable[str]) -> None:
    """Refuse keywords that are no parameter of `cls`, and that its `__init__` does not take."""
    taken = inspect.signature(cls.__init__).parameters.values()
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken):
        return
    known = cls.params._getpairs()
    for name in given:
        if name not in {p.name for p in taken}:
            hint = did_you_mean(name, known) if known else " (it has none)"
            raise InputError(
                f"no such parameter{hint}",
                where=cls.__name__,
                field=name,
                remedy="rename or remove it",
            )


def check_begun(made: Any, attribute: str, *, base: type) -> None:
    """Refuse an object whose `__init__` has not called that of `base`, which sets `attribute`."""
    if vars(made).get(attribute) is None:
        name = type(made).__name__
        raise InputError(
            f"does not call super().__init__(), so {base.__name__} never begins its work",
            where=name,
            field="__init__",
            remedy="write super().__init__() as its first line",
        )


def _name_of(kernel: Any) -> str:
    return str(getattr(kernel, "__name__", type(kernel).__name__))
