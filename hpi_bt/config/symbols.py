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

    In the sections data and features `{symbol}` becomes the symbol wherever it stands, and the
    source's own `symbol` too, and that of the features' chains.

    Raises
    ------
    InputError
        A symbol given twice, one that the source refuses, or files that would give every symbol
        the same rows.
    """
    if not config.symbols:
        if _PLACE in str(config.data.model_dump()):
            raise InputError(
                f"symbols: none is named for the {_PLACE} under data; name at least one"
            )
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
    for chains in (feature.get("chains") for feature in plain["features"]):
        if (
            chains
            and chains["kind"] == "file"
            and _PLACE not in f"{chains['path']}{chains['symbol']}"
        ):
            raise InputError(
                f"symbols: the chains {chains['path']} would serve all {len(config.symbols)}; "
                f"write {_PLACE} in their path or symbol"
            )
    return [_one(plain, symbol) for symbol in config.symbols]


def _one(plain: Mapping[str, Any], symbol: str) -> Config:
    data = _filled(plain["data"], symbol)
    data["source"]["symbol"] = symbol
    name = f"{plain['name'][: _NAME_LENGTH - 1 - len(symbol)]}-{symbol}"
    features = [_filled(feature, symbol) for feature in plain["features"]]
    for chains in (feature.get("chains") for feature in features):
        if chains and chains["kind"] != "file":
            chains["symbol"] = symbol
    own = {"name": name, "data": data, "features": features, "symbols": ()}
    return validated({**plain, **own}, f"symbols, {symbol}")


def _filled(value: Any, symbol: str) -> Any:
    """Return a copy of a config's section with the symbol in every text that asks for it."""
    if isinstance(value, str):
        return value.replace(_PLACE, symbol)
    if isinstance(value, Mapping):
        return {key: _filled(below, symbol) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(below, symbol) for below in value]
    return value
