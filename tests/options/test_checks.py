"""Given a chain as read, functions of a chain say what to give instead."""

from __future__ import annotations

import pandas as pd
import pytest
from books import chain

from hpi_bt.errors import InputError
from hpi_bt.options import (
    charm_integral,
    exposures,
    fit_surface,
    hedge_flow,
    implied_carry,
    impulse_curve,
)
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.checks import check_chain
from hpi_bt.options.coupling import spot_vol_coupling
from hpi_bt.options.parity import Forward
from hpi_bt.sources.chain_cleaning import CleaningReport
from hpi_bt.sources.chain_file import ChainFile


def book() -> OptionChain:
    return chain([90.0, 100.0, 110.0], calls=5.0, puts=3.0)


@pytest.mark.parametrize(
    "function", [hedge_flow, exposures, impulse_curve, charm_integral, fit_surface]
)
def test_a_chain_file_is_refused_and_its_chain_is_taken(function) -> None:
    read = ChainFile(book(), CleaningReport(6, 6, (), ()))
    with pytest.raises(InputError, match=r"^chain: a ChainFile; .* a ChainFile's \.chain$"):
        function(read)
    assert function(read.chain) is not None


def test_what_carries_no_chain_is_refused_without_that_hint() -> None:
    with pytest.raises(InputError, match=r"^chain: a str; give an OptionChain$"):
        check_chain("xyz.csv")
    check_chain(book())


def test_a_negative_stickiness_ratio_is_said_in_words() -> None:
    surface = fit_surface(book())
    said = spot_vol_coupling(book(), surface, ssr=-1.0).flags
    assert any("stickiness ratio of -1 is below 0" in flag for flag in said)
    assert not any("below 0:" in flag for flag in spot_vol_coupling(book(), surface, ssr=0.0).flags)


def test_a_carry_of_a_hundred_percent_is_noise_of_the_quotes() -> None:
    one = chain([90.0, 100.0], rate=0.03, dividend=0.01, calls=1.0)
    days = {20: 100.0, 22: 101.0, 24: 102.0}  # half a percent a day: 180 % a year
    ahead = {one.as_of + pd.Timedelta(days=d): Forward(f, 0.999, 3) for d, f in days.items()}
    got = implied_carry(one, parity=ahead)
    assert got[:2] == (0.03, 0.01)
    assert "which is noise" in got.note
