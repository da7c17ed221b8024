"""Configs: strict models of configs/*.yaml and messages that say how to mend them."""

from __future__ import annotations

import reprlib
import types
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from hpi_bt.errors import InputError, did_you_mean
from hpi_bt.orders import Orders
from hpi_bt.sources.base import Settings
from hpi_bt.sources.demo import DemoSource
from hpi_bt.sources.files import CsvSource, ParquetSource
from hpi_bt.sources.joins import Part
from hpi_bt.sources.option_snapshots import OptionSnapshotsSource
from hpi_bt.sources.yahoo import YahooSource

Source: TypeAlias = Annotated[
    DemoSource | CsvSource | ParquetSource | YahooSource | OptionSnapshotsSource,
    Field(discriminator="kind"),
]

#: Keys that `data` accepts on behalf of its source.
_SOURCE_KEYS = ("bar_label", "bar_minutes", "timezone", "columns")


class OpenInterestTiming(Settings):
    """When the source's open interest was known."""

    stamp: Literal["pre_open", "prior_close"] = "pre_open"
    """pre_open: the row of day D holds the count published before D's open (after D-1).
    prior_close: it holds the count after D's own close; it is moved to the next session."""


class Data(Settings):
    """Where the bars come from and what is joined to them."""

    source: Source
    calendar: str = "XNYS"
    """An exchange_calendars name: XNYS, XBOM, CMES, ..."""
    outside: Literal["keep", "drop"] = "keep"
    """Bars outside the calendar's hours."""
    open_interest: OpenInterestTiming = OpenInterestTiming()
    join: tuple[Part, ...] = ()
    """Further files whose columns are joined as of the moment they were known."""
    derive: dict[str, str] = Field({})
    """Columns that are sums of others: openinterest: put_oi + call_oi."""
    resample_minutes: float | None = Field(None, gt=0)
    slot_minutes: float | None = Field(None, gt=0)
    """Length of the slots of the day that scale: standard compares; the bar length by default."""
    start: date | None = None
    end: date | None = None
    """First and last session used, both included."""

    @model_validator(mode="before")
    @classmethod
    def _lift(cls, value: Any) -> Any:
        """Hand bar_label, bar_minutes, timezone and columns on to the source."""
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

    low: float = Field(alias="from")
    high: float = Field(alias="to")
    step: float | None = Field(None, gt=0)
    """Distance of two values; may be left out where points are drawn at random (--samples)."""

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.high < self.low:
            raise ValueError(f"from {self.low:g} lies above to {self.high:g}; swap them")
        return self

    @property
    def whole(self) -> bool:
        """Whether every number of the range is a whole one."""
        return all(float(x).is_integer() for x in (self.low, self.high, self.step or 1.0))


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
    """What the best point of a training window has most of."""


class Config(Settings):
    """One run."""

    name: str = Field(min_length=1, max_length=80)
    data: Data
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
    dealer_sign: str = "put-heavy flow is bullish"
    """The sign convention that the pages print."""


class _Loader(yaml.SafeLoader):
    """YAML in which a key given twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        merge = "tag:yaml.org,2002:merge"  # "<<: *anchor" may come more than once
        keys = [self.construct_object(k, deep=True) for k, _ in node.value if k.tag != merge]
        twice = [k for k in keys if isinstance(k, str) and keys.count(k) > 1]
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice[0]!r} is given twice; remove one", node.start_mark
            )
        return super().construct_mapping(node, deep)


def read_mapping(path: Path) -> dict[Any, Any]:
    """Return the mapping that a YAML file holds.

    Raises
    ------
    InputError
        The file is absent, unreadable, no YAML, or no mapping.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise InputError(f"{path}: no such config; `hpi-bt list` shows the shipped ones") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a YAML text file") from None
    try:
        value: Any = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = (getattr(error, "context", None), getattr(error, "problem", None))
        problem = ", ".join(s for s in said if s) or str(error).splitlines()[0]
        raise InputError(f"{path}: no valid YAML{line}: {problem}") from None
    if not isinstance(value, dict):
        kind = "nothing" if value is None else f"a {type(value).__name__}"
        raise InputError(f"{path}: holds {kind}; a config is a mapping (name: ..., data: ...)")
    return dict(value)


def overridden(mapping: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Return a copy with "orders.stop.multiple=3" style overrides; values are read as YAML."""
    result = dict(mapping)
    for override in overrides:
        key, equals, text = override.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise InputError(f"-s {override}: write KEY=VALUE, such as orders.stop.multiple=3")
        try:
            value = yaml.load(text, _Loader)
        except yaml.YAMLError:
            raise InputError(f"-s {override}: {text!r} is no YAML value; quote it") from None
        result = _with(result, path, value, f"-s {override}: ")
    return result


def _with(target: Any, path: list[str], value: Any, name: str, above: str = "") -> Any:
    """Return `target` with `value` at `path`; only what lies on the way is copied."""
    if not path:
        return value
    key, place = path[0], f"{above}.{path[0]}".lstrip(".")
    if isinstance(target, list):
        if not key.isdecimal() or int(key) >= len(target):
            raise InputError(
                f"{name}{above} is a list of {len(target)}, {key!r} is no place in it; "
                "give a number from 0 on"
            )
        changed = list(target)
        changed[int(key)] = _with(target[int(key)], path[1:], value, name, place)
        return changed
    if target is None or isinstance(target, Mapping):
        below = dict(target or {})
        return below | {key: _with(below.get(key), path[1:], value, name, place)}
    raise InputError(f"{name}{above} is {_shown(target)}, no mapping; override {above} itself")


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models an annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list):
        return [m for a in get_args(annotation) for m in _models(a)]
    return []


def _fields_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Return the keys known at a place of the config."""
    models = [model]
    for key in loc:
        if isinstance(key, int):
            continue
        found = [m.model_fields[key] for m in models if key in m.model_fields]
        if found:
            models = [m for f in found for m in _models(f.annotation)]
        else:  # the tag that pydantic adds for one member of a union
            kinds = [m for m in models if _kind(m) == key or m.__name__ == key]
            models = kinds or models
    return sorted({f.alias or n for m in models for n, f in m.model_fields.items()})


def _kind(model: type[BaseModel]) -> Any:
    return model.model_fields["kind"].default if "kind" in model.model_fields else None


def _path(model: type[BaseModel], loc: tuple[Any, ...]) -> str:
    """Return the place of an error as the user wrote it, without pydantic's union tags."""
    shown: list[str] = []
    for i, key in enumerate(loc):
        if isinstance(key, int):
            shown[-1:] = [f"{shown[-1]}[{key}]"] if shown else [f"[{key}]"]
        elif i == len(loc) - 1 or key in _fields_at(model, loc[:i]):
            shown.append(str(key))
    return ".".join(shown)


#: What is wanted, by the kind of error that pydantic reports; filled with the error's context.
_WANTED = {
    "string_type": "text, put it in quotes",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character",
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a mapping, key: value"),
    **dict.fromkeys(("tuple_type", "list_type"), "a list, [a, b]"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "YYYY-MM-DD",
    ),
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "literal_error": "{expected}",
    "union_tag_invalid": "a kind of {expected_tags}",
    "recursion_loop": "a value that does not hold itself",
}


def _shown(value: Any) -> str:
    """Return the value in a few characters."""
    return "nothing" if value is None else reprlib.repr(value)


def _explain(model: type[BaseModel], error: Mapping[str, Any]) -> str:
    loc, kind, value = tuple(error["loc"]), error["type"], error.get("input")
    place = _path(model, loc) or "config"
    if kind == "extra_forbidden":
        hint = did_you_mean(str(loc[-1]), _fields_at(model, loc[:-1]))
        return f"{place}: unknown key{hint}; rename or remove it"
    if kind == "missing":
        return f"{place} is missing; add it"
    if kind == "union_tag_not_found":
        kinds = ", ".join(str(_kind(m)) for m in _models(Source))
        return f"{place} has no kind; add kind: one of {kinds}"
    if kind == "union_tag_invalid":
        place, value = f"{place}.kind", error["ctx"]["tag"]
    if kind in _WANTED:
        return (
            f"{place}: found {_shown(value)}; wanted {_WANTED[kind].format(**error.get('ctx', {}))}"
        )
    shown = "" if isinstance(value, Mapping) else f"found {_shown(value)}; "
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {shown}{message[:1].lower()}{message[1:]}"


def validated(mapping: Mapping[str, Any], name: str) -> Config:
    """Return the config that a mapping describes.

    Raises
    ------
    InputError
        One line: file, key, value, what is wanted.
    """
    try:
        return Config.model_validate({str(key): value for key, value in mapping.items()})
    except ValidationError as invalid:
        errors = invalid.errors()
        # an unknown key often explains the missing one beside it
        errors.sort(key=lambda e: e["type"] != "extra_forbidden")
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(f"{name}: {_explain(Config, errors[0])}{more}") from None


def resolved_yaml(config: Config) -> str:
    """Return the config with every default filled in, as YAML."""
    plain = config.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
