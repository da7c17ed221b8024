"""Pages from templates: one environment, which escapes every value and refuses to miss one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hpi_bt.report.bidi import readable

#: Assumptions shown at the top of a page: (what, how), for example ("Fills", "next open").
Banner: TypeAlias = Sequence[tuple[str, str]]

#: What `base.html.j2` needs beside `title`.
_BASE: dict[str, Any] = {"banner": (), "demo": "", "subtitle": "", "notices": ()}


def percent(value: float, digits: int = 2) -> str:
    """Return a decimal as a percentage (0.1 is "10.00 %"), a dash where it is not finite."""
    return f"{100.0 * value:.{digits}f} %".replace("-", "−") if math.isfinite(value) else "–"


def number(value: float, digits: int = 2) -> str:
    """Return a number with thousands commas, a dash where it is not finite."""
    return f"{value:,.{digits}f}".replace("-", "−") if math.isfinite(value) else "–"


def _readable(value: Any) -> Any:
    """Return what a template prints, its names safe inside sentences; Markup as it is."""
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "number": number}
    return environment


def render(template: str, **context: Any) -> str:
    """Return the page that `template` makes of `context`.

    Parameters
    ----------
    template : str
        File name in `hpi_bt/report/templates`, "tearsheet.html.j2".
    context : object
        Pages on `base.html.j2` need `title` (text) and take `banner` (a `Banner`), `demo` (text
        beside the word DEMO, "" for real data), `subtitle` and `notices` (lines of the footer).

    Returns
    -------
    page : str
        HTML; every value is made `readable` and escaped unless it is a `markupsafe.Markup`.

    Raises
    ------
    jinja2.UndefinedError
        The template names something that `context` lacks.
    """
    return _environment().get_template(template).render(_BASE | context)


def write_page(path: Path, page: str) -> None:
    """Write `page` as UTF-8, making its folder; what UTF-8 cannot carry becomes "?"."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(page.encode("utf-8", "replace"))
