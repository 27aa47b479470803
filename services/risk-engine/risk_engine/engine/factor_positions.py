"""What the factor model says of each open position, and where an account's variance comes from.

Rows are the open holdings of all accounts; money is in US dollars, short negative.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from risk_engine.domain import Position
from risk_engine.engine.account_beta import AccountBetas, account_betas
from risk_engine.engine.amounts import Amounts, amounts_of
from risk_engine.engine.frame import Frame
from risk_engine.engine.results import table
from risk_engine.engine.risk_model import risk_model
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.quant.factor_risk import Decomposition, Positions, RiskModel, decompose
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.shrinkage import blume
from risk_engine.quant.volatility import SESSIONS_PER_YEAR

QUANTILE: Final = 1.96
"""Of the standard normal: intervals are of 95 %."""


@dataclass(frozen=True, eq=False)
class Laid:
    """Open holdings, (holdings,), and the decompositions of all accounts with them.

    `row` is the holding's in the frame, `lost` are the rows of options that do not say what they
    are on, which have no place here; `modelled` are those whose dollar delta, loadings and
    specific variance are known, `proxied` those without a history of their own.
    """

    row: IntArray
    lost: IntArray
    lines: tuple[Position, ...]
    positions: Positions
    modelled: BoolArray
    proxied: BoolArray
    everything: Decomposition
    without_proxies: Decomposition
    betas: AccountBetas
    amounts: Amounts


def laid_out(frame: Frame) -> Laid:
    """Lay out the open holdings and decompose the risk of every account."""
    exposures = frame.exposures
    lines = {
        line.row: line.position
        for of_book in frame.valued.ledger.lines
        for line in of_book
        if line.row is not None
    }
    nowhere = exposures.underlying == NO_UNDERLYING
    row = np.flatnonzero(exposures.is_open & ~nowhere)
    positions = Positions(
        exposures.account[row], exposures.underlying[row], exposures.sensitivity[row]
    )
    risk = risk_model(frame.factor_model)
    modelled = np.isfinite(positions.weight) & risk.known[positions.underlying]
    proxied = frame.proxied[positions.underlying]
    accounts = len(frame.books)
    return Laid(
        row=row,
        lost=np.flatnonzero(exposures.is_open & nowhere),
        lines=tuple(lines[one] for one in row.tolist()),
        positions=positions,
        modelled=modelled,
        proxied=proxied,
        everything=_decomposed(positions, modelled, risk, accounts),
        without_proxies=_decomposed(positions, modelled & ~proxied, risk, accounts),
        betas=account_betas(frame),
        amounts=_amounts(frame, row, modelled),
    )


def _amounts(frame: Frame, row: IntArray, modelled: BoolArray) -> Amounts:
    usable = np.zeros(len(frame.exposures.account), dtype=np.bool_)
    usable[row] = modelled
    return amounts_of(frame, frame.return_histories, usable=usable)


def _decomposed(
    positions: Positions, some: BoolArray, risk: RiskModel, accounts: int
) -> Decomposition:
    weight = np.where(some, positions.weight, np.nan)
    return decompose(Positions(positions.account, positions.underlying, weight), risk, accounts)


def position_table(
    frame: Frame, laid: Laid, mine: IntArray, flags: Sequence[Sequence[str]], scale: float
) -> Mapping[str, Any]:
    """Return the rows `mine` as a table; what of a position is not modelled is NaN."""
    model, underlying = frame.factor_model, laid.positions.underlying[mine]
    betas, durations = model.betas, model.durations
    held = [laid.lines[one] for one in mine.tolist()]
    shown = np.where(laid.modelled[mine], 1.0, np.nan)
    shrunk, error = betas.shrunk[underlying] * shown, betas.error[underlying] * shown
    raw = betas.raw[underlying] * shown
    everything = laid.everything
    return table(
        position_id=[str(one.id) for one in held],
        symbol=[one.symbol for one in held],
        underlying=[frame.underlyings.keys[row].symbol for row in underlying],
        asset_class=[model.classes[row] for row in underlying],
        dollar_delta=laid.positions.weight[mine],
        weight=laid.positions.weight[mine] * scale,
        loadings=model.loadings[underlying] * shown[:, np.newaxis],
        standard_errors=model.standard_errors[underlying] * shown[:, np.newaxis],
        r_squared=model.r_squared[underlying] * shown,
        observations=model.observations[underlying],
        specific_volatility=np.sqrt(model.specific_variance[underlying] * SESSIONS_PER_YEAR)
        * shown,
        raw_beta=raw,
        raw_beta_error=betas.raw_error[underlying] * shown,
        beta=shrunk,
        beta_error=error,
        beta_low=shrunk - QUANTILE * error,
        beta_high=shrunk + QUANTILE * error,
        relative_beta=betas.relative[underlying] * shown,
        relative_beta_error=betas.relative_error[underlying] * shown,
        prior_beta=betas.prior[underlying],
        prior_beta_error=betas.prior_error[underlying],
        prior_deviation=betas.deviation[underlying],
        prior_fund=[model.prior_funds[row] for row in underlying],
        blume_beta=blume(raw),
        provider_beta=provider_betas(frame, underlying),
        beta_r_squared=betas.r_squared[underlying],
        beta_observations=betas.observations[underlying],
        duration=durations.duration[underlying],
        duration_error=durations.error[underlying],
        convexity=durations.convexity[underlying],
        duration_published=durations.published[underlying],
        factor_contribution=everything.position_factor[mine],
        specific_contribution=everything.position_specific[mine],
        contribution=everything.position_contributions[mine],
        flags=flags,
    )


def provider_betas(frame: Frame, underlying: IntArray) -> FloatArray:
    """Return the betas a data vendor gives for some underlyings; NaN for private assets."""
    said = frame.market.snapshots
    symbols = [frame.underlyings.keys[one] for one in underlying]
    rows = [said.rows.get(key.symbol, -1) if key.subtype is None else -1 for key in symbols]
    return np.array([np.nan if row < 0 else said.beta[row] for row in rows], dtype=np.float64)
