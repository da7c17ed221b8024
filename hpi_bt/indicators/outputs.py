"""What a kernel returns, brought to the lines that take it: by name where the kernel has names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hpi_bt.arrays import FloatArray
from hpi_bt.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Outputs:
    """The lines that a kernel fills.

    A kernel that returns a NamedTuple fills them by the names of its fields, in whatever order;
    one that returns a plain tuple fills them in order; a bare array fills the only one.

    Parameters
    ----------
    owner : str
        Class that the kernel belongs to, for messages.
    kernel : str
        Attribute that holds it: "kernel" or "signal_kernel".
    names : tuple of str
        The lines.
    """

    owner: str
    kernel: str
    names: tuple[str, ...]

    def arrays(self, out: Any, n_bars: int) -> list[FloatArray]:
        """Return one float array of shape (n_bars,) for each line, in the order of the lines.

        Raises
        ------
        InputError
            The kernel returned too few or too many arrays, lacks a line, or an array is no series
            of numbers of that length.
        """
        found = self._by_name(out) if hasattr(out, "_fields") else self._in_order(out)
        return [self._checked(x, n, n_bars) for n, x in zip(self.names, found, strict=True)]

    def _by_name(self, out: Any) -> list[Any]:
        for name in self.names:
            if name not in out._fields:
                raise self._wrong(
                    f"no field {name!r} in what it returns{did_you_mean(name, out._fields)}",
                    "let the lines and the fields of its NamedTuple have the same names",
                )
        return [getattr(out, name) for name in self.names]

    def _in_order(self, out: Any) -> tuple[Any, ...]:
        found = out if isinstance(out, tuple) else (out,)
        if len(found) == len(self.names):
            return found
        count = f"returns {len(found)} array{'s' * (len(found) != 1)}"
        if len(self.names) == 1:
            raise self._wrong(f"{count}; wanted one", f"return {self.names[0]} alone")
        names = ", ".join(self.names)
        raise self._wrong(
            f"{count}; wanted one for each of the lines {names}",
            "return them in that order, or a NamedTuple with those fields",
        )

    def _checked(self, values: Any, name: str, n_bars: int) -> FloatArray:
        if type(values) is np.ndarray and values.dtype == np.float64 and values.shape == (n_bars,):
            return values
        remedy = "return one number a bar, NaN where it is not known"
        try:
            series = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            kind = type(values).__name__
            raise self._wrong(f"returns a {kind} for {name}, no numbers", remedy) from None
        if series.shape != (n_bars,):
            what = "nothing" if values is None else f"an array of shape {series.shape}"
            raise self._wrong(f"returns {what} for {name}; wanted shape ({n_bars},)", remedy)
        return series

    def _wrong(self, problem: str, remedy: str) -> InputError:
        return InputError(problem, where=self.owner, field=self.kernel, remedy=remedy)
