"""Configs: strict models of configs/*.yaml, and messages that say how to mend them."""

from __future__ import annotations

import yaml

from hpi_bt.config.models import (
    Broker,
    Commission,
    Config,
    Data,
    OpenInterestTiming,
    Range,
    Source,
    StrategyChoice,
    Study,
    WalkForward,
)
from hpi_bt.config.reading import overridden, read_mapping
from hpi_bt.config.symbols import configs_of
from hpi_bt.config.validation import validated

__all__ = [
    "Broker",
    "Commission",
    "Config",
    "Data",
    "OpenInterestTiming",
    "Range",
    "Source",
    "StrategyChoice",
    "Study",
    "WalkForward",
    "configs_of",
    "overridden",
    "read_mapping",
    "resolved_yaml",
    "validated",
]


def resolved_yaml(config: Config) -> str:
    """Return the config with every default filled in, as YAML."""
    plain = config.model_dump(mode="json", by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
