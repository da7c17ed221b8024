"""One config for several symbols, and the config of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hpi_bt.config.models import Config
from hpi_bt.config.validation import validated
from hpi_bt.errors import InputError

_PLACE = "{symbol}"
_NAME_LENGTH = 80  # Config.name


def configs_of(config: Config) -> list[Config]:
    """Return the config of each of its symbols; the config itself where it names none.

    In the data section `{symbol}` becomes the symbol wherever it stands, and the source's own
    `symbol` too.

    Raises
    ------
    InputError
        A symbol given twice, one that the source refuses, or a file source that would give every
        symbol the same rows.
    """
    if not config.symbols:
        return [config]
    for symbol in config.symbols:
        if config.symbols.count(symbol) > 1:
            raise InputError(f"symbols: {symbol!r} is given twice; remove one")
    plain = config.model_dump(by_alias=True)
    source = plain["data"]["source"]
    if source["kind"] in ("csv", "parquet") and _PLACE not in f"{source['path']}{source['select']}":
        raise InputError(
            f"symbols: {source['path']} would serve all {len(config.symbols)}; write {_PLACE} "
            f"in data.source.path or select (select: {{symbol: '{_PLACE}'}})"
        )
    return [_one(plain, symbol) for symbol in config.symbols]


def _one(plain: Mapping[str, Any], symbol: str) -> Config:
    data = _filled(plain["data"], symbol)
    data["source"]["symbol"] = symbol
    name = f"{plain['name'][: _NAME_LENGTH - 1 - len(symbol)]}-{symbol}"
    return validated({**plain, "name": name, "data": data, "symbols": ()}, f"symbols, {symbol}")


def _filled(value: Any, symbol: str) -> Any:
    """Return a copy of a config's section with the symbol in every text that asks for it."""
    if isinstance(value, str):
        return value.replace(_PLACE, symbol)
    if isinstance(value, Mapping):
        return {key: _filled(below, symbol) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(below, symbol) for below in value]
    return value
