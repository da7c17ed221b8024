"""What a comparison says in words: Sharpe differences, and what a filter did."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from hpi_bt.stats.difference import SURE_SESSIONS
from hpi_bt.stats.verdicts import LEVEL, probability


def sharpe_words(names: Sequence[str], differences: pd.DataFrame, sessions: int) -> list[str]:
    """Return what the Sharpe differences over so many `sessions` say.

    A sentence for each run but the first; where there are intervals from few sessions, one more.
    """
    rows = [row for _, row in differences.iterrows()]
    words = [_one_sharpe(name, names[0], row) for name, row in zip(names[1:], rows, strict=True)]
    if sessions < SURE_SESSIONS and any(row["low"] < row["high"] for row in rows):
        words.append(
            f"Intervals and p-values of Sharpe differences are rough below {SURE_SESSIONS} "
            f"sessions; these runs share {sessions}."
        )
    return words


def _one_sharpe(name: str, first: str, row: pd.Series) -> str:
    pair = f"{name} and {first}"
    if math.isnan(row["difference"]):
        return f"The Sharpe ratios of {pair} cannot be compared: {row['note']}."
    apart = f"{_signed(row['difference'])}"
    if row["p_value"] == 1.0 and row["low"] == row["high"]:
        return f"{pair} have the same Sharpe ratio: {row['note']}."
    if math.isnan(row["p_value"]):
        return (
            f"Too little to judge whether {name} is better than {first}: the Sharpe ratios differ "
            f"by {apart}, but {row['note']}."
        )
    how = (
        f"the Sharpe ratios differ by {apart}, 95 % interval {_signed(row['low'])} to "
        f"{_signed(row['high'])}, {p_text(row['p_value'], row['p_adjusted'])}"
    )
    if row["p_adjusted"] <= LEVEL:
        side = "better" if row["difference"] > 0 else "worse"
        return f"{name} was {side} than {first}: {how}."
    return (
        f"No evidence that {name} is better or worse than {first}: {how}. Only a difference of "
        f"{row['detectable']:.2f} or more would have shown p under 0.05 four times in five."
    )


def p_text(p: float, adjusted: float) -> str:
    """Return a p-value, and what is left of it among the others of its table."""
    text = f"p {probability(p)}"
    return text if adjusted == p else f"{text}, allowing for all tests here {probability(adjusted)}"


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")


def points(value: float) -> str:
    """Return a decimal in basis points with its sign, "–" where unknown."""
    return f"{_signed(1e4 * value, 1)} bp" if math.isfinite(value) else "–"


def filter_words(effect: pd.DataFrame, accepted: int, vetoed: int) -> list[str]:
    """Return what so many accepted and vetoed entries say of the filter."""
    if not accepted + vetoed:
        return ["The strategy asked for no entry, so the filter had nothing to judge."]
    told = f"Of the {accepted + vetoed:,} entries of the unfiltered run"
    if not vetoed or not accepted:
        which = "none" if not vetoed else "every one"
        return [f"{told} the filter would veto {which}: there is nothing to compare."]
    found = effect[effect["p_adjusted"] <= LEVEL].sort_values("p_value", ascending=False)
    row = (found if len(found) else effect[effect["p_value"].notna()])[-1:]
    if row.empty:
        most = (effect["n_accepted"] + effect["n_vetoed"]).argmax()
        return [
            f"{told} the filter would let pass {accepted:,} and veto {vetoed:,}, too few to say "
            f"whether it tells good from bad ({effect['note'].iloc[most]})."
        ]
    counts = f"{told} {accepted:,} would pass and {vetoed:,} be vetoed"
    return [_filter_verdict(counts, row.iloc[0], str(row.index[0]), bool(len(found)))]


def _filter_verdict(counts: str, row: pd.Series, horizon: str, sure: bool) -> str:
    how = (
        f"{horizon}, accepted ones made {points(row['mean_accepted'])} on average and vetoed ones "
        f"{points(row['mean_vetoed'])}, a difference of {points(row['difference'])} (95 % interval "
        f"{points(row['low']).removesuffix(' bp')} to {points(row['high'])}, "
        f"{p_text(row['p_value'], row['p_adjusted'])})"
    )
    if sure and row["difference"] > 0:
        return f"The filter told good entries from bad. {counts}; {how}."
    if sure:
        return f"The filter vetoed the better entries. {counts}; {how}."
    return (
        f"No evidence that the filter tells good entries from bad. {counts}; {how}. Only a "
        f"difference of {1e4 * row['detectable']:.1f} bp or more would have shown p under 0.05 "
        "four times in five."
    )


def effect_rows(effect: pd.DataFrame) -> list[list[str]]:
    """Return accepted against vetoed entries as text: horizon, n, means, difference, how sure."""
    rows = []
    for horizon, row in effect.iterrows():
        cells = [f"{row[f'n_{group}']:,.0f}" for group in ("accepted", "vetoed")]
        cells += [points(row[key]) for key in ("mean_accepted", "mean_vetoed", "difference")]
        low, high = points(row["low"]), points(row["high"])
        known = math.isfinite(row["p_value"])
        cells += [f"{low.removesuffix(' bp')} to {high}" if math.isfinite(row["low"]) else "–"]
        rows.append([str(horizon), *cells, probability(row["p_value"]) if known else row["note"]])
    return rows
