"""Chains of many moments from files."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from chain_files import DAY, LATER, SPOT, ZONE, smile, table, write
from numpy.testing import assert_allclose

from hpi_bt.chains import chain_report
from hpi_bt.errors import InputError
from hpi_bt.features.flow_columns import FlowOptions
from hpi_bt.features.hedge_values import flow_values
from hpi_bt.features.snapshots import FileChains
from hpi_bt.options import price
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.sources.base import Locations
from small_chains import contracts, saved

OF_ALL = FlowOptions(
    "all", DEFAULT_POSITIONING, "canonical", 1.5, None, 3.0, 0.05, 2.0, 0.15, "XNYS"
)
TAKEN, SPOTS = ["10:05", "10:20"], [5100.0, 5110.0]


def opened(folder, path="chains.csv", **options):
    settings = {"timezone": ZONE} | options
    return FileChains(path=path, **settings).open(Locations((folder,)), "XNYS")


def clock(times: pd.DatetimeIndex) -> list[str]:
    return [f"{t:%H:%M}" for t in times.tz_convert(ZONE)]


def test_a_file_of_two_moments(tmp_path):
    write(tmp_path, table(TAKEN, SPOTS))
    found = opened(tmp_path)
    assert clock(found.times) == TAKEN
    assert [found.chain_at(i).spot for i in (0, 1)] == SPOTS
    assert found.chain_at(1).as_of == found.times[1]
    assert found.notes == ("2 chain snapshots",)
    assert found.demo == ""


def test_late_quotes_belong_to_an_earlier_moment(tmp_path):
    write(tmp_path, table(TAKEN, SPOTS))
    found = opened(tmp_path, late_minutes=15)
    assert clock(found.times) == ["09:50", "10:05"]
    assert found.chain_at(0).as_of == found.times[0]
    assert found.notes == ("2 chain snapshots, quotes 15 minutes older than the stamps",)


def test_several_files_come_in_the_order_of_their_moments(tmp_path):
    write(tmp_path, table(["10:20"], [5110.0]), "b.csv")
    write(tmp_path, table(["10:05", "11:00"], [5100.0, 5120.0]), "a.csv")
    found = opened(tmp_path, path=("b.csv", "a.csv"))
    assert clock(found.times) == ["10:05", "10:20", "11:00"]
    assert [found.chain_at(i).spot for i in range(3)] == [5100.0, 5110.0, 5120.0]


def test_they_survive_pickling(tmp_path):
    write(tmp_path, table(TAKEN, SPOTS))
    found = opened(tmp_path)
    again = pickle.loads(pickle.dumps(found))
    assert again.fingerprint == found.fingerprint
    assert again.chain_at(1).contracts.equals(found.chain_at(1).contracts)


def test_the_fingerprint_is_that_of_contents_and_settings(tmp_path):
    write(tmp_path, table(TAKEN, SPOTS))
    one = opened(tmp_path).fingerprint
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere", table(TAKEN, SPOTS))
    assert opened(tmp_path / "elsewhere").fingerprint == one
    write(tmp_path, table(TAKEN, SPOTS), "IWM_chain.csv")  # some layouts name their symbol so
    assert opened(tmp_path, path="IWM_chain.csv").fingerprint != one
    for change in ({"rate": 0.01}, {"late_minutes": 1.0}, {"multiplier": 1.0}):
        assert opened(tmp_path, **change).fingerprint != one
    write(tmp_path, table(TAKEN, SPOTS, seed=2))
    assert opened(tmp_path).fingerprint != one


def test_one_moment_in_two_files_is_refused(tmp_path):
    write(tmp_path, table(TAKEN, SPOTS), "a.csv")
    write(tmp_path, table(TAKEN[:1], SPOTS[:1]), "b.csv")
    found = opened(tmp_path, path=("a.csv", "b.csv"))
    with pytest.raises(InputError, match="two snapshots of 2024-03-05 15:05 UTC; give each"):
        assert found.times is None


def test_a_table_without_stamps_is_refused(tmp_path):
    write(tmp_path, table(TAKEN[:1], SPOTS[:1]).drop(columns="ts"))
    with pytest.raises(InputError, match=r"chains.csv: does not say when it was made"):
        assert opened(tmp_path).times is None


def test_last_prices_serve_where_a_file_has_neither_quotes_nor_vols(tmp_path):
    made = table(TAKEN[:1], SPOTS[:1], expiries=(DAY, LATER))
    tau = np.where(made["expiry"] == DAY, 5 + 55 / 60, 3 * 24 + 5 + 55 / 60) / (365 * 24)
    right = np.where(made["right"] == "C", 1.0, -1.0)
    strike = made["strike"].to_numpy()
    made["last"] = price(SPOT, strike, tau, smile(strike), right)
    made["volume"] = 10.0
    write(tmp_path, made[made["last"] > 0.05].drop(columns="iv"))
    options = FlowOptions(
        "all", DEFAULT_POSITIONING, "canonical", 1.5, None, 3.0, 0.05, 2.0, 0.15, "XNYS"
    )
    found = flow_values(opened(tmp_path).chain_at(0), options).columns
    write(tmp_path, made.drop(columns=["last", "volume"]))
    wanted = flow_values(opened(tmp_path).chain_at(0), options).columns
    assert_allclose(found["hedge_gex"], wanted["hedge_gex"], rtol=0.02)
    assert found["hedge_call_wall"] == wanted["hedge_call_wall"]


def test_the_last_quotes_of_a_session_are_alive_at_the_stamp_of_its_close(tmp_path):
    # stamped 16:00, the quotes are of 15:45: a quarter of an hour is left
    write(tmp_path, table(["15:45", "16:00"], SPOTS))
    found = opened(tmp_path, late_minutes=15)
    last = found.chain_at(1)
    assert last.is_live.all()
    assert_allclose(last.tau_years * 365 * 24 * 60, 15.0)
    with pytest.raises(InputError, match="expired"):
        opened(tmp_path).chain_at(1)


@pytest.mark.parametrize(
    "given", [{}, {"rate": 0.04}, {"dividend": 0.0}, {"rate": 0.03, "dividend": 0.02}]
)
def test_rate_and_yield_are_those_of_the_chain_report(given, tmp_path):
    expiries = ("2023-09-14", "2023-10-20", "2023-12-15", "2024-03-15")
    path = saved(tmp_path, contracts(expiries=expiries, rate=0.05, dividend=0.01))
    report, chain = chain_report(path, **given), opened(tmp_path, "xyz.csv", **given).chain_at(0)
    assert (chain.rate, chain.dividend) == (report.chain.rate, report.chain.dividend)
    assert_allclose(chain.rate - chain.dividend, 0.04 if len(given) < 2 else 0.01, atol=2e-3)
    assert chain.notes[-1] == report.carry.note
    found = flow_values(chain, OF_ALL).columns
    assert_allclose(found["hedge_gex"], report.flow.exposures.gex, rtol=1e-12)
    assert_allclose(found["hedge_impulse"], report.flow.curve.impulse, rtol=1e-12)


def test_a_file_in_another_unit_layout_and_gathering_is_read_as_told(tmp_path):
    usual = table(TAKEN, SPOTS, expiries=("2024-03-06",))
    write(tmp_path, usual)
    chains = opened(tmp_path)
    second = np.arange(len(usual)) % 50
    own = pd.to_datetime(usual["ts"]) - pd.to_timedelta(second, unit="s")
    other = usual.assign(
        ts=own.dt.strftime("%d/%m/%Y %H:%M:%S"), expiry="06/03/2024", strike=1000 * usual["strike"]
    )
    write(tmp_path, other, "other.csv")
    with pytest.raises(InputError, match=r"give stamp_format: %m/%d/%Y or stamp_format: %d/%m/%Y"):
        opened(tmp_path, path="other.csv").times  # noqa: B018
    # times of day and dates have a layout each: the one given reads what it can
    other["expiry"] = "2024-03-06"
    write(tmp_path, other, "other.csv")
    told = {"path": "other.csv", "stamp_format": "%d/%m/%Y %H:%M:%S"}
    with pytest.raises(InputError, match=r"strike: .* give unit: strike_thousandths"):
        opened(tmp_path, **told).chain_at(0)
    found = opened(tmp_path, unit="strike_thousandths", **told)
    assert clock(found.times) == TAKEN
    for i in (0, 1):
        left, right = found.chain_at(i), chains.chain_at(i)
        assert_allclose(np.sort(left.strike), np.sort(right.strike))
        assert left.open_interest.sum() == right.open_interest.sum()
    assert len(opened(tmp_path, gather=0, unit="strike_thousandths", **told).times) == 100
