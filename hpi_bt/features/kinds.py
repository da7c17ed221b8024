"""The features that a config may name under `features`, told apart by their `kind`."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from hpi_bt.features.gamma_volume import GammaVolumeFeature
from hpi_bt.features.gauge import GaugeFeature
from hpi_bt.features.hedge_flow import HedgeFlowFeature

AnyFeature: TypeAlias = Annotated[
    GammaVolumeFeature | GaugeFeature | HedgeFlowFeature, Field(discriminator="kind")
]
