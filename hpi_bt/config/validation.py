"""From a mapping to a config, or one line that says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from hpi_bt.config.models import Config
from hpi_bt.settings import refusal


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
        raise refusal(Config, invalid, name) from None
