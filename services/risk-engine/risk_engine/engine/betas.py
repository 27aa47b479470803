"""Market betas: regressed, and shrunk towards what is believed of such securities.

A share whose sector has a fund is regressed a second time, on its return over the fund's: its beta
and the fund's come from the same sessions, and what these did to both is in neither's favour. It is
that difference which is shrunk, to none.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.engine.factor_panel import FactorPanel
from risk_engine.engine.securities import MARKET, NO_FUND, Securities
from risk_engine.quant.blocks import BLOCK, blocks, filled
from risk_engine.quant.market_beta import WINDOW, market_betas
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.returns import idle_share
from risk_engine.quant.shrinkage import vasicek

THIN = 0.2
"""Share of sessions without a move from which on a beta is Dimson's."""


@dataclass(frozen=True, eq=False)
class Betas:
    """Market betas, (underlyings,): `raw` and its error are NaN where nothing was regressed.

    `shrunk` is what is used: `prior` and what is left of `relative`, the raw beta over the prior,
    by how well it is known (`relative_error`) and how far such betas lie from their prior
    (`deviation`); the prior alone where there is no raw one. `prior_error` is of the prior itself.
    `thin` marks Dimson's.
    """

    raw: FloatArray
    raw_error: FloatArray
    relative: FloatArray
    relative_error: FloatArray
    shrunk: FloatArray
    error: FloatArray
    prior: FloatArray
    prior_error: FloatArray
    deviation: FloatArray
    r_squared: FloatArray
    observations: IntArray
    thin: BoolArray


def betas_of(found: Securities, panel: FactorPanel) -> Betas:
    """Estimate the market beta of each security."""
    count = len(found.classes)
    raw, raw_error, relative, relative_error, r_squared = (np.full(count, np.nan) for _ in range(5))
    recent = found.excess[-WINDOW:]
    observations = np.isfinite(recent).sum(axis=0).astype(np.int64)
    thin = found.beta_regressed & (np.nan_to_num(idle_share(recent)) > THIN)
    market, prior = panel.returns[:, MARKET], found.prior[:, MARKET].copy()
    for lagged in (False, True):
        lags = np.full(BLOCK, lagged)
        for columns in blocks(np.flatnonzero(found.beta_regressed & (thin == lagged))):
            fit = market_betas(filled(found.excess[:, columns]), market, lags)
            some = columns.size
            raw[columns], raw_error[columns] = fit.beta[:some], fit.error[:some]
            r_squared[columns] = fit.r_squared[:some]
            observations[columns] = fit.observations[:some]
            relative[columns] = raw[columns] - prior[columns]
            relative_error[columns] = raw_error[columns]
            with_fund = columns[found.fund[columns] != NO_FUND]
            if with_fund.size:
                over = market_betas(filled(found.over_fund(with_fund)), market, lags)
                known = np.isfinite(over.beta[: with_fund.size])
                relative[with_fund[known]] = over.beta[: with_fund.size][known]
                relative_error[with_fund[known]] = over.error[: with_fund.size][known]
    deviation = found.deviation[:, MARKET].copy()
    away, uncertain = vasicek(relative, relative_error, np.zeros(count), deviation)
    shrunk, error = prior + away, np.hypot(uncertain, found.prior_error)
    still = found.are("cash")
    shrunk[still], error[still], deviation[still] = 0.0, 0.0, 0.0
    return Betas(
        raw=raw,
        raw_error=raw_error,
        relative=relative,
        relative_error=relative_error,
        shrunk=shrunk,
        error=error,
        prior=prior,
        prior_error=found.prior_error.copy(),
        deviation=deviation,
        r_squared=r_squared,
        observations=observations,
        thin=thin,
    )
