"""docs/definitions.md has the sections that the code names, and shows the formulas as they run."""

import re
from pathlib import Path

import numpy as np
import pytest

from hpi_bt.kernels import hedge_pressure, herrick_payoff
from hpi_bt.orders import Orders

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "definitions.md").read_text("utf-8")
SECTIONS = set(re.findall(r"^## (\d+)\.", TEXT, flags=re.MULTILINE))


def test_every_section_that_the_code_names_is_there():
    named = set()
    for folder in ("hpi_bt", "tests", "strategies"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text("utf-8")
            for numbers in re.findall(r"[Dd]efinitions (\d+(?:(?:, | and | to )\d+)*)", text):
                named |= set(re.findall(r"\d+", numbers))
    assert len(named) >= 9
    assert named <= SECTIONS


def test_nothing_points_to_another_page():
    other = "SP" + "EC"  # the page that this one took the place of
    folders = ("hpi_bt", "tests", "strategies", "configs", "docs", "benchmarks")
    paths = [p for folder in folders for p in sorted((ROOT / folder).rglob("*")) if p.is_file()]
    texts = [p for p in paths if p.suffix in (".py", ".md", ".yaml", ".j2", ".toml")]
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *texts):
        assert not re.search(rf"\b{other}\b", path.read_text("utf-8")), path


def test_herrick_as_the_page_has_it():
    high, low = np.array([11.0, 13.0, 12.0]), np.array([9.0, 11.0, 8.0])
    volume, interest = np.array([10.0, 20.0, 30.0]), np.array([100.0, 110.0, 88.0])
    raw, hpi = herrick_payoff(high, low, volume, interest)
    second = 100 * 20 * 2 * (1 + 2 * 10 / 100)
    third = 100 * 30 * -2 * (1 - 2 * 22 / 88)
    assert np.allclose(raw[1:], [second, third])
    assert np.allclose(hpi[1:], [second, second + 0.133 * (third - second)])


def test_hedge_pressure_as_the_page_has_it():
    ones = np.ones(3)
    got = hedge_pressure(
        np.array([5.0, 1.0, 9.0]), np.array([2.0, 2.0, 2.0]), 4.0 * ones, np.zeros(3, dtype=int),
        smoothing=2, zscore_lookback=2,
    )  # fmt: skip
    assert np.allclose(got.flow[:2], [3.0, 2.5])  # net 3, 2, 9: the mean of the session so far
    assert np.allclose(got.spread[:2], [-1.0, -1.5])
    assert got.hpi[1] == pytest.approx(-1.0)


def test_defaults_on_the_page_are_those_of_the_code():
    orders = Orders()
    assert f"`max_leverage` ({orders.max_leverage:g})" in TEXT
    assert f"`cash_buffer`, {100 * orders.cash_buffer:g} %" in TEXT
