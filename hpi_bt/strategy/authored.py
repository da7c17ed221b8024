"""The metaclass of our strategies: what an author has written wrong is refused in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import backtrader as bt

from hpi_bt.errors import InputError
from hpi_bt.indicators.authoring import (
    check_arguments,
    check_begun,
    check_pairs,
    check_texts,
)
from hpi_bt.orders import Orders


class MetaAuthored(type(bt.Strategy)):  # type: ignore[misc]
    """Checks the order of a class's bases, and that `__init__` has called that of its bases.

    A base says what its `__init__` sets as `begun_by`, and that it must stand before the strategy
    whose methods it wraps as `mix_in = True`.
    """

    def __new__(meta, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> Any:
        """Return the class; bases in the wrong order are refused."""
        check_texts(name, members, ("inputs", "optional_inputs"))
        check_pairs(name, members)
        shown = members.get("shows")
        if isinstance(shown, type):
            raise InputError(
                f"is the class {shown.__name__}, no list of classes",
                where=name,
                field="shows",
                remedy=f"write shows = ({shown.__name__},)",
            )
        if isinstance(members.get("orders"), Mapping):
            members["orders"] = Orders(**members["orders"])
        strategies = [base for base in bases if issubclass(base, bt.Strategy)]
        mixed = [base for base in strategies if getattr(base, "mix_in", False)]
        plain = [base for base in strategies if base not in mixed]
        if mixed and plain and strategies.index(plain[0]) < strategies.index(mixed[-1]):
            order = ", ".join(base.__name__ for base in (*mixed, *plain) if base is not bt.Strategy)
            raise InputError(
                f"stands after {plain[0].__name__}, whose orders it would not see",
                where=name,
                field=mixed[-1].__name__,
                remedy=f"write class {name}({order})",
            )
        return super().__new__(meta, name, bases, members)

    def doinit(cls, made: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse keywords that are no parameters."""
        check_arguments(cls, kwargs)
        return super().doinit(made, *args, **kwargs)

    def dopostinit(cls, made: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse an `__init__` that has not called that of its bases."""
        for base in cls.__mro__:
            if "begun_by" in vars(base):
                check_begun(made, vars(base)["begun_by"], base=base)
        return super().dopostinit(made, *args, **kwargs)
