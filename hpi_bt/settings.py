"""What is wrong with settings, of a config or made in Python, in one line with the remedy."""

from __future__ import annotations

import reprlib
import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from hpi_bt.errors import InputError, did_you_mean


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models an annotation can hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list, dict):
        return [m for a in get_args(annotation) for m in _models(a)]
    return []


def _walk(model: type[BaseModel], loc: tuple[Any, ...]) -> tuple[list[type[BaseModel]], bool]:
    """Return the models at a place of the config, and whether its keys are the user's own."""
    models, free = [model], False
    for key in loc:
        if isinstance(key, int):
            continue
        if free:  # such as the parameters of a sweep
            free = False
            continue
        found = [m.model_fields[key] for m in models if key in m.model_fields]
        if found:
            models = [m for f in found for m in _models(f.annotation)]
            free = any(get_origin(f.annotation) is dict for f in found)
        else:  # the tag that pydantic adds for one member of a union
            models = [m for m in models if _kind(m) == key or m.__name__ == key] or models
    return models, free


def _fields_at(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    """Return the keys known at a place of the config."""
    models, _ = _walk(model, loc)
    return sorted({f.alias or n for m in models for n, f in m.model_fields.items()})


def _kind(model: type[BaseModel]) -> Any:
    return model.model_fields["kind"].default if "kind" in model.model_fields else None


def _path(model: type[BaseModel], loc: tuple[Any, ...]) -> str:
    """Return the place of an error as the user wrote it, without pydantic's union tags."""
    shown: list[str] = []
    for i, key in enumerate(loc):
        free = _walk(model, loc[:i])[1]
        if isinstance(key, int):
            shown[-1:] = [f"{shown[-1]}[{key}]"] if shown else [f"[{key}]"]
        elif free or key in _fields_at(model, loc[:i]) or not _is_tag(model, loc[:i], key):
            shown.append(str(key))
    return ".".join(shown)


def _is_tag(model: type[BaseModel], loc: tuple[Any, ...], key: Any) -> bool:
    """Return whether pydantic, not the user, has put a key there: a member of a union."""
    tags = {str(t) for m in _walk(model, loc)[0] for t in (_kind(m), m.__name__)}
    return str(key) in tags or str(key).startswith(("list[", "literal[", "dict[", "function-"))


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


def shown_value(value: Any) -> str:
    """Return the value in a few characters."""
    return "nothing" if value is None else reprlib.repr(value)


def explain(model: type[BaseModel], error: Mapping[str, Any], whole: str = "config") -> str:
    """Return one line about an error that pydantic reports: place, value, what is wanted.

    `whole` is what the place of an error of no single key is called.
    """
    loc, kind, value = tuple(error["loc"]), error["type"], error.get("input")
    place = _path(model, loc) or whole
    if kind == "extra_forbidden":
        if len(loc) == 1 and loc[0] in getattr(model, "of_the_call", ()):
            option = f"--{loc[0].replace('_', '-')} (in Python {loc[0]}=...)"
            return f"{place}: unknown key, as it belongs to the call; give {option} instead"
        hint = did_you_mean(str(loc[-1]), _fields_at(model, loc[:-1]))
        return f"{place}: unknown key{hint}; rename or remove it"
    if kind == "missing":
        return f"{place} is missing; add it"
    if kind == "union_tag_not_found":
        kinds = ", ".join(str(_kind(m)) for m in _walk(model, loc)[0])
        return f"{place} has no kind; add kind: one of {kinds}"
    if kind == "union_tag_invalid":
        place, value = f"{place}.kind", error["ctx"]["tag"]
    if kind in _WANTED:
        wanted = _WANTED[kind].format(**error.get("ctx", {}))
        return f"{place}: found {shown_value(value)}; wanted {wanted}"
    shown = "" if isinstance(value, Mapping) else f"found {shown_value(value)}; "
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {shown}{message[:1].lower()}{message[1:]}"


def first_of(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the error that tells most: an unknown key often explains the missing one beside it.

    Of a value that may be a list or a mapping, what is wrong with the mapping tells more than
    that it is no list.
    """
    return min(errors, key=lambda e: (e["type"] != "extra_forbidden", e["type"] == "list_type"))


def refusal(model: type[BaseModel], invalid: ValidationError, name: str) -> InputError:
    """Return the one line about what pydantic refuses of the settings called `name`."""
    errors = invalid.errors()
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    said = explain(model, first_of(errors), "")
    return InputError(f"{said.removeprefix(': ')}{more}", where=name)
