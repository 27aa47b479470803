"""Draw tomorrow's factors once for a chunk, and see what each of its books then gains."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np

from risk_engine.engine.digests import digest_of
from risk_engine.engine.frame import Frame
from risk_engine.engine.risk_model import risk_model
from risk_engine.engine.risk_scenarios import Held, OptionGains, Scenarios
from risk_engine.quant.gain_tables import gain_tables, gains, places
from risk_engine.quant.monte_carlo import (
    DRAWS,
    Draws,
    FactorModel,
    draw,
    linear_pnl,
    simulated_returns,
)
from risk_engine.quant.panel import FloatArray, IntArray, sum_by
from risk_engine.quant.value_at_risk import TailRisk, historical_risk


@dataclass(frozen=True, eq=False)
class SimulatedRisk:
    """Monte Carlo VaR and ES of all books, (books, confidences), with proxied holdings and without.

    NaN for a book with a holding that the factor model does not know; `observed` only where that is
    no proxied one.
    """

    whole: TailRisk
    observed: TailRisk


def simulate(frame: Frame, scenarios: Scenarios, held: Held) -> SimulatedRisk:
    """Simulate the modelled holdings of all books; `held` are in the order of their accounts."""
    model = risk_model(frame.factor_model)
    held = held.part(held.modelled)
    books = len(frame.books)
    # In the order of `pnl`: without proxied holdings, and what these add.
    unknown = np.array(
        [
            np.bincount(held.account[some & ~model.known[held.underlying]], minlength=books) > 0
            for some in (~held.proxied, held.proxied)
        ]
    )
    if not _is_covariance(model.covariance):
        unknown[:] = True
    pnl = np.zeros((2, books, DRAWS))
    if not unknown.all():
        # A factor that is not known is drawn and moves nothing, so that the others' draws stay.
        use = frame.factor_model.available
        covariance, betas = np.eye(len(use)), np.zeros((len(model.loadings), len(use)))
        covariance[np.ix_(use, use)] = model.covariance
        betas[:, use] = np.where(model.known[:, None], model.loadings, 0.0)
        draws = frame.memo.once("draws", digest_of(covariance), lambda: draw(covariance))
        symbols = FactorModel(
            betas,
            np.sqrt(np.where(model.known, model.specific_variance, 0.0)),
            scenarios.key,
        )
        _add_linear(pnl, draws, symbols, held)
        _add_options(pnl, draws, symbols, scenarios.gains, held.part(held.is_option))
    pnl[unknown] = np.nan
    observed, proxied = pnl
    whole = historical_risk(observed + proxied)
    # Without proxied holdings both are the same draws.
    mixed = np.flatnonzero(proxied.any(axis=1))
    apart = historical_risk(observed[mixed])
    without = TailRisk(whole.value_at_risk.copy(), whole.expected_shortfall.copy())
    without.value_at_risk[mixed] = apart.value_at_risk
    without.expected_shortfall[mixed] = apart.expected_shortfall
    return SimulatedRisk(whole, without)


def _add_linear(pnl: FloatArray, draws: Draws, symbols: FactorModel, held: Held) -> None:
    linear = held.part(~held.is_option)
    for account in range(pnl.shape[1]):
        for proxied in (False, True):
            mine = (linear.account == account) & (linear.proxied == proxied)
            if mine.any():
                underlying, exposure = netted(linear.part(mine))
                pnl[int(proxied), account] += linear_pnl(draws, symbols.part(underlying), exposure)


def _add_options(
    pnl: FloatArray, draws: Draws, symbols: FactorModel, contracts: OptionGains, options: Held
) -> None:
    # One underlying after the other, and its contracts: its draws are made and placed once.
    tables = gain_tables(contracts.grid, contracts.return_damping)
    holders: dict[int, list[int]] = {}
    for holding, contract in enumerate(options.contract.tolist()):
        holders.setdefault(contract, []).append(holding)
    on = contracts.on.tolist()
    order = sorted(
        (place for place, contract in enumerate(contracts.known.tolist()) if contract in holders),
        key=lambda place: (on[place], place),
    )
    for underlying, same in groupby(order, key=on.__getitem__):
        returns = simulated_returns(draws, symbols.part(np.array([underlying])))
        at = places(returns[:, 0])
        for place in same:
            gained = gains(tables[place], at)
            for holding in holders[int(contracts.known[place])]:
                scope = int(options.proxied[holding])
                pnl[scope, options.account[holding]] += options.units[holding] * gained


def netted(held: Held) -> tuple[IntArray, FloatArray]:
    """Return the distinct underlyings of some holdings, and their dollar deltas added up."""
    underlying, place = np.unique(held.underlying, return_inverse=True)
    return underlying, sum_by(place, held.dollar_delta, len(underlying))


def _is_covariance(covariance: FloatArray) -> bool:
    if not np.isfinite(covariance).all():
        return False
    return bool((np.linalg.eigvalsh(covariance) > 0).all())
