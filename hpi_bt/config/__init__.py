"""Configs: strict models of configs/*.yaml, and messages that say how to mend them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from pydantic import ValidationError

from hpi_bt.config.messages import explain, first_of
from hpi_bt.config.models import (
    Broker,
    Commission,
    Config,
    Data,
    OpenInterestTiming,
    Range,
    Source,
    StrategyChoice,
    WalkForward,
)
from hpi_bt.config.reading import overridden, read_mapping
from hpi_bt.errors import InputError

__all__ = [
    "Broker",
    "Commission",
    "Config",
    "Data",
    "OpenInterestTiming",
    "Range",
    "Source",
    "StrategyChoice",
    "WalkForward",
    "overridden",
    "read_mapping",
    "resolved_yaml",
    "validated",
]


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
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise InputError(f"{name}: {explain(Config, first_of(errors))}{more}") from None


def resolved_yaml(config: Config) -> str:
    """Return the config with every default filled in, as YAML."""
    plain = config.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
