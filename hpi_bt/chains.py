"""One option chain worked out: `hpi_bt.chain_report(file)`, with a page of it."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Mapping
from datetime import date
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from hpi_bt.backtest.result import check_writable
from hpi_bt.errors import InputError, Note, Severity
from hpi_bt.frames import locations
from hpi_bt.options.carry import APART, CARRIED, carry_of
from hpi_bt.options.chain import OptionChain
from hpi_bt.options.contract_vols import DEFAULT_VOLS
from hpi_bt.options.coupling import DEFAULT_SSR, GivenCoupling
from hpi_bt.options.dealers import DEFAULT_POSITIONING
from hpi_bt.options.flow import HedgeFlow, hedge_flow
from hpi_bt.options.levels import PriceLevels, price_levels
from hpi_bt.options.parity import Forward, forwards
from hpi_bt.options.regime import smile_name
from hpi_bt.report.amounts import sentence, signed
from hpi_bt.report.chain import write_chain
from hpi_bt.report.chain_result import ChainReport
from hpi_bt.report.chain_tables import (
    by_expiry_table,
    by_side_table,
    gross_exposures,
    sensitivity_table,
)
from hpi_bt.sources.chain_file import ChainFile, Moment, Unit
from hpi_bt.sources.chain_importance import by_importance
from hpi_bt.sources.chains import CleaningReport, Kind, read_chain
from hpi_bt.sources.fingerprints import fingerprint_of
from hpi_bt.sources.gatherings import GATHER
from hpi_bt.sources.paths import user_path

_PAGES = (".html", ".htm")
_LONGEST = 120  # letters of a page's name
_OF_CHAIN = ("contracts", "surface", "expiry")  # what a refusal of a chain is about
_USUAL = {
    name: p.default
    for of in (hedge_flow, read_chain)
    for name, p in signature(of).parameters.items()
}  # not told by a page's name


def chain_report(
    file: str | os.PathLike[str] | OptionChain | ChainFile,
    *,
    expiry: str | date | list[date | str] = "all",
    positioning: str = DEFAULT_POSITIONING,
    mode: str = "canonical",
    vols: str = DEFAULT_VOLS,
    as_of: Moment | None = None,
    spot: float | Literal["parity"] | None = None,
    ssr: float = DEFAULT_SSR,
    coupling: GivenCoupling = None,
    rate: float | None = None,
    dividend: float | None = None,
    out: str | os.PathLike[str] | None = None,
    symbol: str | None = None,
    kind: Kind = "auto",
    timezone: str | None = None,
    calendar: str = "XNYS",
    expiry_at: str | None = None,
    multiplier: float | None = None,
    columns: Mapping[str, str] | None = None,
    stamp_format: str | None = None,
    unit: Unit | None = None,
    gather: float = GATHER,
    currency: str | None = None,
    data_dir: str | Path | None = None,
    **options: Any,
) -> ChainReport:
    """Return everything about one chain: exposures, levels, impulse, charm, zones, smiles.

    Parameters
    ----------
    file : path, OptionChain or ChainFile
        A chain as `read_chain` reads it, or one in memory, for which the parameters of reading
        (as_of, spot, symbol, kind, timezone, calendar, expiry_at, multiplier, columns,
        stamp_format, unit, gather, data_dir) are left alone, as_of and spot apart.
    expiry : {"0dte", "all"}, date or list of dates, default="all"
        As in `OptionChain.select`.
    positioning, mode
        What dealers are taken to hold; as in `hpi_bt.options.exposures`.
    vols : {"quotes", "smile"}
        Vols of the strikes' own quotes, or of the smiles; as in `hpi_bt.options.exposures`.
    as_of, spot, symbol, kind, timezone, calendar, expiry_at, multiplier, columns
    stamp_format, unit, gather
        As in `hpi_bt.read_chain`.
    ssr, coupling
        As in `hpi_bt.options.impulse_curve`.
    rate, dividend : float, optional
        Continuous, per year. By default what put-call parity of the chain's quotes implies, 0
        where they are silent; one alone makes the other fit the forwards.
    out : path, optional
        Writes the page there; a path that does not end in .html is a folder, in which the page is
        named after the chain, its moment and what was chosen.
    currency : str, optional
        Sign of the money; by default that of the calendar's exchange.
    data_dir : path, optional
        Searched for a relative path, before the environment variable HPI_BT_DATA.
    **options
        Further ones of `hpi_bt.options.hedge_flow`: range_pct, step_pct, kernel_width_strikes,
        charm_method, time_step_minutes, reach_multiple, zone_threshold, futures, betas.

    Returns
    -------
    report : ChainReport

    Raises
    ------
    InputError
        The file or an argument is wrong, or no contract is left; nothing is written then.
    """
    if out is not None:
        target = user_path(out, "out")
        check_writable(target.parent if target.suffix.lower() in _PAGES else target, "out")
    if isinstance(file, OptionChain | ChainFile):
        name, read = _in_memory(file, as_of, spot)
    else:
        name = Path(file).name
        read = read_chain(
            Path(file), where=locations(data_dir=data_dir), kind=kind, as_of=as_of, spot=spot,
            symbol=symbol, timezone=timezone, calendar=calendar, expiry_at=expiry_at,
            multiplier=multiplier, columns=columns, rate=rate or 0.0, dividend=dividend or 0.0,
            stamp_format=stamp_format, unit=unit, gather=gather,
        )  # fmt: skip
    settings: dict[str, Any] = {
        "expiry": expiry,
        "positioning": positioning,
        "mode": mode,
        "vols": vols,
        "ssr": ssr,
    }
    settings |= {"coupling": coupling, "currency": currency, **options}
    try:
        report = _worked_out(name, read, rate, dividend, settings)
    except InputError as error:
        raise _of_file(error, name) from None
    if out is not None:
        given: dict[str, Any] = {"vols": vols, "ssr": ssr, "coupling": coupling, "spot": spot}
        given |= {"rate": rate, "dividend": dividend, "multiplier": multiplier}
        given |= {"unit": unit, "gather": gather, **options}
        report = dataclasses.replace(report, page=_page(user_path(out, "out"), report, given))
        write_chain(report.page or Path(out), report)
    return report


def _of_file(error: InputError, name: str) -> InputError:
    """Return a refusal of the chain itself as one of the file; others are of an argument."""
    of_chain = error.field in _OF_CHAIN or str(error).startswith(tuple(f"{f}:" for f in _OF_CHAIN))
    return error.within(name) if of_chain else error


def _page(out: Path, report: ChainReport, given: Mapping[str, Any]) -> Path:
    """Return where the page goes: other choices have other names."""
    if out.suffix.lower() in _PAGES:
        return out
    chosen = report.settings
    words = ["chain", report.title, f"{report.as_of:%Y%m%d-%H%M}"]
    if chosen["expiry"] != "all":
        several = chosen["expiry"] if isinstance(chosen["expiry"], list) else [chosen["expiry"]]
        words += [str(one) for one in several]
    words += [chosen["mode"]] if chosen["mode"] != "canonical" else []
    words += [chosen["positioning"]] if chosen["positioning"] != DEFAULT_POSITIONING else []
    words += [
        f"{name}={f'{value:.12g}' if isinstance(value, float) else value}"
        for name, value in given.items()
        if value is not None and value != _USUAL.get(name)
    ]
    name = re.sub(r"[^A-Za-z0-9.=-]+", "_", "-".join(words)).strip("._-") or "chain"
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}-{fingerprint_of({'name': name})[:8]}"
    return out / f"{name}.html"


def _in_memory(
    given: OptionChain | ChainFile, as_of: Moment | None, spot: float | Literal["parity"] | None
) -> tuple[str, ChainFile | tuple[OptionChain, None]]:
    """Return the name and the chain of what was given in memory."""
    if spot == "parity":
        raise InputError("spot: 'parity' is for files; give a number for a chain in memory")
    chain, found = (given, None) if isinstance(given, OptionChain) else given
    moment: Any = as_of  # checked there
    chain = chain.with_(as_of=moment, spot=spot)
    return chain.symbol or "chain", (chain, None) if found is None else ChainFile(chain, found)


def _worked_out(
    name: str,
    read: ChainFile | tuple[OptionChain, None],
    rate: float | None,
    dividend: float | None,
    settings: dict[str, Any],
) -> ChainReport:
    """Return the report of a chain that was read."""
    whole, cleaning = read
    chain = _chosen(whole, settings["expiry"], cleaning)
    parity = forwards(whole.where(whole.is_live))
    carry = carry_of(whole, rate, dividend, parity=parity)
    chain = chain.with_(rate=carry.rate, dividend=carry.dividend)
    asked = {k: v for k, v in settings.items() if k not in ("expiry", "currency")}
    flow = hedge_flow(chain, **asked)
    levels = price_levels(chain, exposed=flow.exposures)
    implied, tau = _implied_spot(chain, parity)
    said = _flags(chain, cleaning, flow, levels)
    return ChainReport(
        name=name,
        chain=chain,
        cleaning=cleaning,
        carry=carry,
        flow=flow,
        levels=levels,
        expiries=by_expiry_table(chain, flow, levels),
        by_side=by_side_table(chain, flow.exposures),
        gross=gross_exposures(chain, flow.exposures),
        sensitivity=sensitivity_table(chain, flow, settings),
        settings=settings,
        implied_spot=implied,
        flags=tuple(by_importance((*_spot_flags(chain, implied, tau), *said))),
        demo=next((n for n in chain.notes if n.upper().startswith("DEMO")), ""),
    )


def _chosen(
    whole: OptionChain, expiry: str | date | list[date | str], cleaning: CleaningReport | None
) -> OptionChain:
    """Return the live contracts of the expiries asked for; the report counts the expired ones."""
    chosen = whole.select(expiry=expiry)
    if cleaning is None:
        return chosen.live()
    return chosen if chosen.is_live.all() else chosen.where(chosen.is_live)


def _implied_spot(
    chain: OptionChain, parity: Mapping[pd.Timestamp, Forward]
) -> tuple[float, float]:
    """Return what parity of the nearest expiry with pairs says of spot, and its years to expiry.

    NaN where nothing does.
    """
    for moment in sorted(parity):
        if parity[moment].n_pairs:
            tau = float((moment - chain.as_of) / pd.Timedelta(365, "D"))
            return parity[moment].forward * math.exp(-(chain.rate - chain.dividend) * tau), tau
    return math.nan, math.nan


def _spot_flags(chain: OptionChain, implied: float, tau: float) -> list[str]:
    """Return what must be said of spot: outside the strikes, or not what the quotes say."""
    flags, low, high = list[str](), chain.strike.min(), chain.strike.max()
    if not low <= chain.spot <= high:
        text = (
            f"Spot {chain.spot:,.2f} lies outside the strikes, {low:g} to {high:g}: every level is "
            "far from what is known; give `spot` if the file's is wrong."
        )
        flags.append(Note(Severity.WARNING, "spot-outside-strikes", text))
    apart = implied / chain.spot - 1.0
    if abs(apart) > APART + CARRIED * tau:
        text = (
            f"The quotes imply a spot of {implied:,.2f}, {signed(100 * apart, 2)} % from the one "
            "used: they are of another moment or unit, or a dividend falls due before they expire; "
            "levels are uncertain by as much, or give `spot`."
        )
        flags.append(Note(Severity.WARNING, "spot-not-of-quotes", text))
    return flags


def _flags(
    chain: OptionChain, cleaning: CleaningReport | None, flow: HedgeFlow, levels: PriceLevels
) -> tuple[str, ...]:
    """Return what a reader should know, without what is said elsewhere on the page.

    That is what notes, cleaning report and banner say, and what each smile says of itself.
    """
    lines = chain.notes if cleaning is None else (*cleaning.lines, *cleaning.notes)
    smiles = flow.exposures.surface
    own = {f"{smile_name(m)}: {flag}" for m, smile in smiles.items() for flag in smile.flags}
    every = [f for f in (*flow.flags, *levels.flags) if f not in {*lines, *own}]
    wanted = [flag for flag in every if not flag.startswith("Open positions:")]
    return tuple(flag if isinstance(flag, Note) else sentence(flag) for flag in wanted)
