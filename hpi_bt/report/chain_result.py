"""What a report on one chain holds, and its figures under names that say their units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hpi_bt.backtest.strict_json import json_safe
from hpi_bt.errors import Note, diagnostics
from hpi_bt.options.carry import Carry
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.contract_vols import share_by_origin
from hpi_bt.options.flow import HedgeFlow
from hpi_bt.options.levels import PriceLevels
from hpi_bt.report.amounts import NONE, amount, sentence

if TYPE_CHECKING:
    from hpi_bt.sources.chain_cleaning import CleaningReport


#: The money of exchanges whose prices are not in dollars, by calendar.
CURRENCIES = {
    **{"XBOM": "₹", "XNSE": "₹", "XTKS": "¥", "XLON": "£", "XKRX": "₩"},
    **dict.fromkeys(("XEUR", "XETR", "XFRA", "XPAR", "XAMS", "XMIL", "XMAD"), "€"),
}


@dataclass(frozen=True, eq=False, repr=False)
class ChainReport:
    """One chain, read and worked out.

    Attributes
    ----------
    name : str
        The file, or the chain's symbol where a chain was given.
    chain : OptionChain
        The contracts that count: alive, and of the expiries chosen.
    cleaning : CleaningReport or None
        What was found in the file; None where a chain was given.
    carry : Carry
        Rate and yield, and where they come from.
    flow : HedgeFlow
    levels : PriceLevels
    expiries : DataFrame, index expiry
        contracts, forward, s0, skew, ssr, k, k_atm, k_atm_over_s0, gex, vex, cex, call_wall,
        put_wall, max_pain, straddle, sigma_move, smile (its kind), fit_quotes,
        fit_rms_vol_points, fit_worst_vol_points, fit_worst_strike.
    by_side : DataFrame, index strike
        call_gex, put_gex, call_vex, put_vex, call_cex, put_cex, in dollars, over all expiries.
    gross : dict of str to float
        gex, vex, cex of all contracts without their signs, in dollars.
    sensitivity : DataFrame, one row per assumption of what dealers hold
        positioning, mode, chosen, gex, vex, cex, impulse_usd, regime, bias, zero_gamma,
        zero_gamma_strike_sum, attractor_below, attractor_above, charm_shares, charm_dollars,
        direction, stability, acceleration (centres of the strongest zones).
    settings : dict
        expiry, positioning, mode, vols, ssr, coupling, currency and the like, as asked for.
    implied_spot : float
        What parity of the nearest quoted expiry says of spot, in dollars; NaN where nothing does.
    flags : tuple of str
        What a reader should know, one plain sentence each.
    demo : str
        What is made up in the chain; "" means that nothing is.
    page : Path or None
        Where the page was written.
    """

    name: str
    chain: OptionChain
    cleaning: CleaningReport | None
    carry: Carry
    flow: HedgeFlow
    levels: PriceLevels
    expiries: pd.DataFrame
    by_side: pd.DataFrame
    gross: dict[str, float]
    sensitivity: pd.DataFrame
    settings: dict[str, Any]
    implied_spot: float
    flags: tuple[str, ...]
    demo: str = ""
    page: Path | None = None

    @property
    def currency(self) -> str:
        """The sign of the money that prices are in."""
        return str(self.settings.get("currency") or CURRENCIES.get(self.chain.calendar or "", "$"))

    @property
    def notes(self) -> tuple[str, ...]:
        """Where spot, moment, vols and contracts come from, one plain sentence each."""
        said = self.chain.notes if self.cleaning is None else self.cleaning.notes
        return tuple(
            dict.fromkeys(note if isinstance(note, Note) else sentence(note) for note in said)
        )

    def tick(self, value: float) -> str:
        """Return an amount of money for an axis: +$20 bn."""
        return self.money(value, trim=True)

    def money(self, value: float, *, sign: bool = True, trim: bool = False) -> str:
        """Return an amount of money in short: +$17.8 bn; a dash where it is not finite."""
        text = amount(value, sign=sign, trim=trim)
        if text == NONE:
            return text
        at = 1 if text[0] in "+−" else 0
        return f"{text[:at]}{self.currency}{text[at:]}"

    @property
    def title(self) -> str:
        """What the underlying is called."""
        return self.chain.symbol or self.name

    @cached_property
    def as_of(self) -> pd.Timestamp:
        """The chain's moment at its exchange."""
        return self.chain.as_of.tz_convert(self.chain.zone)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Every figure under a name that says its unit, as strict JSON can hold it."""
        chain, flow, levels = self.chain, self.flow, self.levels
        book, curve, market = flow.exposures, flow.curve, flow.regime
        figures = {
            "name": self.name,
            "demo": self.demo,
            "symbol": chain.symbol,
            "as_of": self.as_of,
            "currency": self.currency,
            "spot": chain.spot,
            "implied_spot": self.implied_spot,
            "contracts": len(chain),
            "rate": self.carry.rate,
            "dividend": self.carry.dividend,
            "settings": self.settings,
            "regime": curve.regime,
            "bias": curve.bias,
            "market_regime": market.label,
            "atm_vol": market.s0,
            "atm_vol_expiry": market.expiry,
            "expected_daily_move_pct": 100.0 * market.expected_daily_move,
            "spot_vol_correlation": market.spot_vol_correlation,
            "vol_of_vol": market.vol_of_vol,
            "gex_cash_per_1pct": book.gex,
            "vex_cash_per_vol_point": book.vex,
            "cex_cash_per_day": book.cex,
            "gross_gex_cash_per_1pct": self.gross["gex"],
            "gross_gex_pct_by_vol": share_by_origin(book.own, book.gross),
            "impulse_shares_per_unit_price": curve.impulse,
            "impulse_cash_per_1pct": curve.impulse * chain.spot**2 * 0.01,
            "slope_shares_per_unit_price_squared": curve.slope,
            "zero_gamma_repriced": levels.zero_gamma,
            "zero_gamma_cumulative_strike_sum": levels.zero_gamma_strike_sum,
            "call_wall": levels.call_wall,
            "put_wall": levels.put_wall,
            "max_pain": levels.max_pain,
            "expected_move_straddle": levels.expected_move.straddle,
            "expected_move_sigma": levels.expected_move.sigma,
            "expected_move_expiry": levels.expected_move.expiry,
            "attractor_below": curve.attractor_below,
            "attractor_above": curve.attractor_above,
            "charm_to_close_shares": flow.charm.shares,
            "charm_to_close_cash": flow.charm.dollars,
            "charm_dealers": flow.charm.direction,
            "charm_horizon": flow.charm.horizon,
            "charm_minutes": flow.charm.minutes,
            "crossings": [c._asdict() for c in curve.crossings],
            "basins": [b._asdict() for b in curve.basins],
            "peaks": [p._asdict() for p in curve.peaks],
            "zones": zone_records(self),
            "expiries": records(self.expiries.reset_index()),
            "sensitivity": records(self.sensitivity),
            "cleaning": None if self.cleaning is None else self.cleaning.counts,
            "flags": self.flags,
            "notes": self.notes,
            "diagnostics": diagnostics((*self.flags, *self.notes)),
        }
        safe: dict[str, Any] = json_safe(figures)
        return safe

    def __repr__(self) -> str:
        """Return one line."""
        return (
            f"<ChainReport of {self.title}, {len(self.chain)} contracts as of "
            f"{self.as_of:%Y-%m-%d %H:%M %Z}: GEX {self.money(self.flow.exposures.gex)} per 1 %>"
        )

    def _repr_html_(self) -> str:
        """Return the figures, for notebooks."""
        from hpi_bt.report.chain_words import figure_rows

        rows = [row for _, part in figure_rows(self) for row in part]
        return str(pd.DataFrame(rows).to_html(index=False, header=False))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dicts."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def zone_records(report: ChainReport) -> list[dict[str, Any]]:
    """Return the zones, strongest first, with what dealers trade at their centres."""
    cloud = report.flow.cloud
    rows = []
    for zone in cloud.zones:
        row: dict[str, Any] = zone._asdict()
        if cloud.hedge is not None:
            at = int(np.argmin(np.abs(cloud.price - zone.centre)))
            trades = cloud.hedge.drop(columns="price").iloc[at]
            row["hedge"] = {str(name): float(value) for name, value in trades.items()}
        rows.append(row)
    return rows
