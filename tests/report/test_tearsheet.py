import re
import socket
import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpi_bt.errors import InputError
from hpi_bt.report import quantstats_adapter, tearsheet, write_tearsheet
from hpi_bt.stats.metrics import performance

BANNER = [("Dealer sign", "an assumption"), ("Fills", "next open")]
NOISE = np.random.default_rng(0).normal(0.001, 0.008, 400)


def sessions(values, start="2024-01-02"):
    return pd.Series(np.asarray(values, float), index=pd.bdate_range(start, periods=len(values)))


def sheet(tmp_path, returns, *, title="Run", **options):
    path = tmp_path / "tearsheet.html"
    write_tearsheet(path, returns, title=title, banner=BANNER, **options)
    return path.read_text("utf-8")


def cell(page, label, column=-1):
    row = re.search(rf"<tr><td>{re.escape(label)}</td>(.*?)</tr>", page)
    return re.findall(r"<td>(.*?)</td>", row[1])[column]


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    returns, benchmark = sessions(NOISE[:60]), sessions(0.5 * NOISE[:60] + 0.001)
    folder = tmp_path_factory.mktemp("full")
    with pytest.MonkeyPatch.context() as patch:  # a connection would end in a short page
        patch.setattr(socket.socket, "connect", None)
        patch.setattr(socket, "getaddrinfo", None)
        page = written(folder, returns, benchmark)
    return page, returns


def written(folder, returns, benchmark):
    return sheet(
        folder,
        returns,
        benchmark=benchmark,
        benchmark_name="buy and hold",
        title="</script><script>alert('x')</script>\"& {{metrics}} 🚀 \ud800",
        demo="<b>made up</b>",
        parameters={"lam": 1.0, "<i>": "</table>"},
    )


def test_the_sheet_shows_the_numbers_that_the_returns_have(full):
    page, returns = full
    own = performance(returns)
    assert cell(page, "Cumulative Return") == f"{100 * own.total_return:.2f}%"
    assert cell(page, "Max Drawdown") == f"\N{MINUS SIGN}{-100 * own.max_drawdown:.2f}%"
    assert ">-" not in page  # neither a hyphen for a minus nor one for nothing, charts included
    assert float(cell(page, "Sharpe")) == pytest.approx(own.sharpe, abs=0.005001)
    assert cell(page, "CAGR%") == f"{100 * own.cagr:.2f}%"
    assert float(cell(page, "Beta")) == pytest.approx(2.0)  # the benchmark holds half as much
    assert "60 sessions, compounded, against buy and hold" in page


@pytest.mark.parametrize("most", [1.34, 6.9])
@pytest.mark.parametrize("falls", [True, False])
def test_sessions_that_double_are_returns_and_no_prices(tmp_path, most, falls):
    """QuantStats takes a series for prices where none falls and one more than doubles."""
    leaps = np.abs(NOISE[:70]) if not falls else NOISE[:70].copy()
    leaps[[7, 31]] = most, 1.0
    usual = NOISE[100:170]
    for returns, benchmark, column in ((leaps, usual, -1), (usual, leaps, 0)):
        page = sheet(tmp_path, sessions(returns), benchmark=sessions(benchmark))
        own = performance(leaps)
        total = f"{100 * own.total_return:,.2f}%"
        assert cell(page, "Cumulative Return", column) == total
        assert float(cell(page, "Sharpe", column)) == pytest.approx(own.sharpe, abs=0.005001)
        assert cell(page, "Volatility (ann.)", column) == f"{100 * own.volatility:.2f}%"
        assert page.count("<svg ") >= 6


def test_quantstats_guesses_as_before_where_others_use_it(tmp_path):
    import quantstats

    sheet(tmp_path, sessions(NOISE[:60]))
    prices = pd.Series([1.0, 2.0, 3.0])
    assert quantstats.utils._prepare_returns(prices).iloc[1] == 1.0


def test_quantstats_annualises_by_the_sessions_of_the_year_that_it_is_given(tmp_path, full):
    _, returns = full
    page = sheet(tmp_path, returns, benchmark=returns / 2, periods_per_year=365)
    own = performance(returns, periods_per_year=365)
    assert float(cell(page, "Sharpe")) == pytest.approx(own.sharpe, abs=0.005001)
    assert float(cell(page, "Sortino")) == pytest.approx(own.sortino, abs=0.005001)
    assert cell(page, "CAGR%") == f"{100 * own.cagr:.2f}%"
    assert cell(page, "Volatility (ann.)") == f"{100 * own.volatility:.2f}%"


def test_the_sheet_begins_with_the_assumptions(full):
    page, _ = full
    assert page.index("an assumption") < page.index("<svg")
    assert "&lt;b&gt;made up&lt;/b&gt;" in page


def test_hostile_texts_stay_text(full):
    page, _ = full
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "{{metrics}}" in page  # QuantStats neither filled nor dropped it
    assert "<b>&lt;i&gt;</b> &lt;/table&gt;" in page


def test_the_sheet_needs_no_network_and_no_script(full):
    page, _ = full
    assert set(re.findall(r'\b(?:src|href)="([^"]*)"', page)) <= {"data:,"} | set(
        re.findall(r'"(#[^"]+)"', page)
    )
    assert not re.search(r"onload|@import|qtpylib", page)
    assert "\ufe6a" not in page


def test_every_id_is_used_once_and_every_reference_is_met(full):
    page, _ = full
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_short_runs_show_no_empty_rolling_chart_and_no_long_horizon(full):
    page, _ = full
    assert "Rolling" not in page
    assert "10Y (ann.)" not in page
    assert "YTD" in page


def test_long_runs_show_rolling_charts_and_their_horizons(tmp_path):
    page = sheet(tmp_path, sessions(NOISE))
    assert 'aria-label="Rolling Sharpe ratio"' in page
    assert "Rolling beta" not in page  # no benchmark
    assert "<td>1Y</td>" in page
    assert "10Y (ann.)" not in page


def test_a_run_that_only_loses_shows_its_drawdown(tmp_path):
    values = [-0.10, -0.10, 0.05, -0.01, 0.02, 0.01]  # QuantStats 0.0.86 alone shows dashes
    page = sheet(tmp_path, sessions(values), benchmark=sessions([-0.2, 0.5, 0.1, 0.1, 0.0, 0.2]))
    assert (cell(page, "Max Drawdown"), cell(page, "Max Drawdown", 0)) == (
        "\N{MINUS SIGN}19.00%",
        "\N{MINUS SIGN}20.00%",
    )
    assert (cell(page, "Max DD Date"), cell(page, "Max DD Date", 0)) == ("2024-01-03", "2024-01-02")
    assert cell(page, "Longest DD Days") == "8"
    assert "<td>2024-01-02</td><td>2024-01-09</td><td>\N{MINUS SIGN}19.00</td><td>8</td>" in page


@given(st.lists(st.sampled_from([-0.1, 0.0, 0.2]), min_size=1, max_size=8))
def test_every_drawdown_is_listed_one_from_the_first_session_too(values):
    returns = sessions(values)
    wealth = np.concatenate(([1.0], np.cumprod(1.0 + np.array(values))))
    below = wealth[1:] / np.maximum.accumulate(wealth)[1:] - 1.0
    under = "".join("x" if b < -1e-9 else " " for b in below)
    got = quantstats_adapter._drawdowns(returns)
    assert [int(((returns.index >= d.start) & (returns.index <= d.end)).sum()) for d in got] == [
        len(word) for word in under.split()
    ]
    assert min([0.0, *(d.depth for d in got)]) == pytest.approx(below.min(initial=0.0), abs=1e-12)


def test_a_run_that_begins_with_a_loss_has_a_longest_and_an_average_drawdown(tmp_path):
    values = [-0.01, 0.02, 0.01, -0.03, 0.01, 0.03, 0.0, 0.01]
    page = sheet(tmp_path, sessions(values), benchmark=sessions(NOISE[:8]))
    # 2 January alone, then 5 and 8 January
    assert cell(page, "Longest DD Days") == "4"
    assert cell(page, "Avg. Drawdown Days") == "2"
    assert cell(page, "Avg. Drawdown") == "\N{MINUS SIGN}2.00%"


def test_figures_of_days_do_not_bear_the_names_of_figures_of_trades(full):
    page, _ = full
    assert "<td>Profit factor of days</td>" in page
    for name in ("Profit Factor", "Payoff Ratio", "Avg. Win", "Max Consecutive Wins"):
        assert f"<td>{name}</td>" not in page


@pytest.mark.parametrize("values", [-np.abs(NOISE[:5]), np.r_[np.zeros(20), 0.02, np.zeros(9)]])
def test_all_losing_single_trade_and_five_session_runs_get_a_full_sheet(tmp_path, values):
    page = sheet(tmp_path, sessions(values), benchmark=sessions(NOISE[100 : 100 + len(values)]))
    assert "No tear sheet" not in page
    assert page.count("<svg ") >= 6


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "has no session"),
        (np.zeros(60), "did not trade"),
        ([0.01], "1 session is too few"),
        ([0.01, 0.02, 0.0, -0.1], "4 sessions are too few"),
        (np.full(30, 0.001), "exactly 0.1 %"),
        ([0.1, -1.0, 0.0, 0.0, 0.0], "lost everything"),
    ],
)
def test_runs_without_a_sheet_say_why(tmp_path, values, reason):
    against = sessions(NOISE[: len(values)])
    page = sheet(tmp_path, sessions(values), benchmark=against)
    assert reason in page
    assert "an assumption" in page
    assert "<svg" not in page


def test_the_callers_own_reason_wins(tmp_path):
    page = sheet(tmp_path, sessions(np.zeros(9)), empty_reason="no signal in 9 sessions")
    assert "no signal in 9 sessions" in page
    assert "did not trade" not in page


def test_a_failing_library_leaves_a_short_page(tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import quantstats

    def fail(*_, **__):
        raise IndexError("<oops>")

    monkeypatch.setattr(quantstats.reports, "html", fail)
    page = sheet(tmp_path, sessions(NOISE[:9]))
    assert "QuantStats could not describe these returns (IndexError: &lt;oops&gt;)" in page


def test_a_benchmark_that_never_moves_is_left_out(tmp_path):
    page = sheet(tmp_path, sessions(NOISE[:9]), benchmark=sessions(np.zeros(9)))
    assert "No tear sheet" not in page
    assert "against" not in page


def test_only_the_runs_own_sessions_of_a_benchmark_count():
    index, longer = sessions(NOISE[:6], start="2024-02-01").index, sessions(NOISE[200:250])
    pd.testing.assert_series_equal(tearsheet._aligned(longer, index), longer.loc[index])


def test_leading_flat_sessions_stay_in_the_sheet(tmp_path):
    page = sheet(tmp_path, sessions(np.r_[np.zeros(20), NOISE[:20]]))
    assert "2024-01-02 to" in page
    assert cell(page, "Sessions not flat") == "50.0%"


@given(st.lists(st.floats(-0.9, 0.9), max_size=4))
def test_short_pages_never_fail(tmp_path_factory, values):
    page = sheet(tmp_path_factory.getbasetemp(), sessions(values))
    assert "No tear sheet" in page


STATE = """
import sys, warnings, logging
import matplotlib as mpl
from matplotlib import colors, font_manager
mpl.rcParams["lines.linewidth"] = 7.0
def state():
    return ({k: mpl.rcParams[k] for k in mpl.rcParams if k != "backend"},
            dict(colors.colorConverter.colors),
            len(font_manager.fontManager.ttflist), list(warnings.filters),
            logging.getLogger("matplotlib.font_manager").level)
before = state()
import pandas as pd
from pathlib import Path
from hpi_bt.report import write_tearsheet
assert "quantstats" not in sys.modules and "matplotlib.pyplot" not in sys.modules
before = before[:3] + (list(warnings.filters),) + before[4:]
r = pd.Series([.01, -.01, .02, 0, .005, -.002], index=pd.bdate_range("2024-01-02", periods=6))
write_tearsheet(Path(sys.argv[1]), r, title="Run", banner=[("a", "b")])
assert "quantstats" in sys.modules
for a, b in zip(before, state(), strict=True):
    assert a == b, (a, b)
import matplotlib.pyplot as plt
assert plt.get_fignums() == []
"""


SETTINGS = """
import matplotlib as mpl
mpl.rcParams.update({"font.size": 20.0, "axes.titlepad": 30.0, "lines.linewidth": 7.0})
"""


def test_the_first_import_of_quantstats_changes_nothing_and_prints_nothing(tmp_path):
    path = tmp_path / "first.html"
    command = [sys.executable, "-c", STATE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    # equal runs write equal pages, whatever matplotlib was set to before
    later = tmp_path / "later.html"
    command = [sys.executable, "-c", SETTINGS + STATE, str(later)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert later.read_bytes() == path.read_bytes()


def test_open_figures_and_the_backend_survive():
    mpl.use("svg", force=True)
    import matplotlib.pyplot as plt

    mine = plt.figure()
    with quantstats_adapter._untouched_globals():
        assert mpl.get_backend().lower() == "agg"
        plt.figure()
    assert plt.get_fignums() == [mine.number]
    assert mpl.get_backend().lower() == "svg"
    plt.close(mine)
    mpl.use("Agg", force=True)


def test_a_backend_without_a_display_is_left_named_as_it_was(monkeypatch):
    import matplotlib.pyplot as plt

    def no_display(name):
        if name == "tkagg":
            raise ImportError("no display")

    monkeypatch.setitem(mpl.rcParams, "backend", "tkagg")
    monkeypatch.setattr(plt, "switch_backend", no_display)
    with quantstats_adapter._agg():
        pass
    assert dict.get(mpl.rcParams, "backend") == "tkagg"


@pytest.mark.parametrize(
    ("returns", "message"),
    [
        (pd.Series([0.1, 0.2]), "returns: index is RangeIndex"),
        (sessions([0.1, 0.2]).tz_localize("UTC"), "naive midnight session dates"),
        (sessions([0.1, 0.2]).shift(freq="16h"), "naive midnight session dates"),
        (sessions([0.1, 0.2]).iloc[::-1], "dates repeat or fall"),
        (sessions([0.1, np.nan]), "returns: session 1 is nan"),
        (sessions([0.1, -1.2]), "returns: session 1 is -1.2"),
    ],
)
def test_what_is_not_session_returns_is_refused(tmp_path, returns, message):
    with pytest.raises(InputError, match=message):
        sheet(tmp_path, returns)


@pytest.mark.parametrize(
    ("benchmark", "message"),
    [
        (sessions(NOISE[:8]), "1 of 9 sessions absent, first 2024-01-12"),
        (sessions(100 + NOISE[:9]), "session returns as decimals, not prices"),
        (sessions(NOISE[:9]).tz_localize("UTC"), "benchmark: index holds"),
    ],
)
def test_a_benchmark_that_does_not_fit_is_refused(tmp_path, benchmark, message):
    with pytest.raises(InputError, match=message):
        sheet(tmp_path, sessions(NOISE[:9]), benchmark=benchmark)
