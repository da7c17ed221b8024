"""YAML of configs: bounded in depth and size, a key once, what cannot be a value kept as text."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

_DEEPEST = 50  # mappings and lists inside one another
_MOST_VALUES = 200_000  # with every alias written out
_LARGEST_BITS = 1024  # of a whole number; a float ends there
_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")


class ConfigLoader(yaml.SafeLoader):
    """Safe YAML in which a key given twice, deep nesting and aliases without end are errors.

    Text that looks like a number or a date and is none (2024-02-30, an integer of thousands of
    digits) stays text: whoever wanted a number or date then says so with the key's name.
    """

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node, unless too many surround it."""
        if self.depth > _DEEPEST:
            text = f"more than {_DEEPEST} levels of nesting; write it flatter"
            raise _refused(text, self.peek_event())  # type: ignore[no-untyped-call]
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def get_single_node(self) -> Any:
        """Return the document, unless its aliases make too many values or one holds itself."""
        node = super().get_single_node()
        if node is not None:
            _extent(node, {})
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return the mapping, unless it gives a key twice."""
        merge = "tag:yaml.org,2002:merge"  # "<<: *anchor" may come more than once
        keys = [self.construct_object(k, deep=True) for k, _ in node.value if k.tag != merge]
        twice = [k for k in keys if isinstance(k, str) and keys.count(k) > 1]
        if twice:
            raise _refused(f"key {twice[0]!r} is given twice; remove one", node)
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: Any) -> Any:
        """Return the text of a scalar, unless it has characters that no text may have."""
        value = super().construct_scalar(node)
        if isinstance(value, str) and _PAIR.search(value):  # as JSON escapes what YAML reads whole
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if isinstance(value, str) and (odd := _NO_TEXT.search(value)):
            raise _refused(f"character {odd[0]!r} is no text; remove it", node)
        return value

    def construct_possible(self, node: Any) -> Any:
        """Return the number, date or truth value that a scalar stands for, else its text."""
        kind = node.tag.rpartition(":")[2]
        try:
            value = getattr(yaml.SafeLoader, f"construct_yaml_{kind}")(self, node)
        except (ValueError, OverflowError, LookupError, AttributeError):
            return self.construct_scalar(node)
        large = isinstance(value, int) and value.bit_length() > _LARGEST_BITS
        return self.construct_scalar(node) if large else value


for _kind in ("int", "float", "bool", "timestamp"):
    ConfigLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", ConfigLoader.construct_possible)


class _Extent(NamedTuple):
    """How many values a node stands for, aliases written out, and how deep they lie."""

    values: int
    depth: int


def _extent(node: Any, known: dict[int, _Extent | None]) -> _Extent:
    """Return the extent of a node; refuse one without end."""
    if id(node) in known:
        found = known[id(node)]
        if found is None:
            raise _refused("an alias holds itself; write its value out", node)
        return found
    known[id(node)] = None  # while its own values are counted
    below = node.value if isinstance(node, yaml.CollectionNode) else ()
    parts = [one for pair in below for one in (pair if isinstance(pair, tuple) else (pair,))]
    extents = [_extent(one, known) for one in parts]
    values = 1 + sum(one.values for one in extents)
    depth = 1 + max((one.depth for one in extents), default=0)
    if values > _MOST_VALUES or depth > _DEEPEST + 1:
        many = f"more than {_MOST_VALUES:,} values or {_DEEPEST} levels"
        raise _refused(f"its aliases stand for {many}; write fewer", node)
    known[id(node)] = _Extent(values, depth)
    return _Extent(values, depth)


def _refused(problem: str, at: Any) -> yaml.YAMLError:
    return yaml.composer.ComposerError(None, None, problem, at.start_mark)


def load_yaml(text: str) -> Any:
    """Return the value that a YAML text holds.

    Raises
    ------
    yaml.YAMLError
        It is no such YAML.
    """
    try:
        return yaml.load(text, ConfigLoader)
    except (ValueError, OverflowError, RecursionError) as error:  # such as "\U00110000"
        raise yaml.YAMLError(str(error)) from None


def problem_of(error: yaml.YAMLError) -> str:
    """Return what is wrong with a YAML text, with its place where that is known."""
    mark = getattr(error, "problem_mark", None)
    line = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = (getattr(error, "context", None), getattr(error, "problem", None))
    problem = ", ".join(s for s in said if s) or str(error).splitlines()[0]
    if problem.startswith("could not determine a constructor for the tag"):
        tag = problem.rpartition(" ")[2].replace("tag:yaml.org,2002:", "!!")
        problem = f"unknown tag {tag}; remove it, configs need none"
    return f"no valid YAML{line}: {problem}"
