"""How accounts as a whole move with the market, were what they hold now what they always held."""

from dataclasses import dataclass

import numpy as np

from risk_engine.engine.factor_model import FactorModel
from risk_engine.engine.frame import Frame
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.quant.blocks import BLOCK, blocks, filled
from risk_engine.quant.market_beta import WINDOW, MarketBetas, market_betas
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class AccountBetas:
    """Betas in dollars per unit of the market's return, (accounts,); over NAV they are betas.

    `dollars` adds up what the holdings' shrunk betas say. `regressed` is the slope of the return
    series of the current holdings, with its error, share explained and sessions; of what that
    series is made, `observed_share` are the holdings' own returns, by |dollar delta|, the rest is
    what their loadings say of the session.
    """

    dollars: FloatArray
    regressed: MarketBetas
    observed_share: FloatArray


def account_betas(frame: Frame) -> AccountBetas:
    """Find the betas of all accounts; NaN where nothing of an account is modelled."""
    model = frame.factor_model
    accounts = len(frame.books)
    series = np.full((min(WINDOW, len(model.excess)), accounts), np.nan)
    dollars, observed = np.full(accounts, np.nan), np.full(accounts, np.nan)
    for account in range(accounts):
        held, amounts = _held(frame, account)
        if not held.size:
            continue
        dollars[account] = (amounts * model.betas.shrunk[held]).sum()
        returns, known = _returns(model, held)
        # One account at a time: its sums do not depend on what others hold.
        series[:, account] = (returns * amounts).sum(axis=1)
        size = np.abs(amounts)
        if size.sum() > 0:
            observed[account] = (known.mean(axis=0) * size).sum() / size.sum()
    return AccountBetas(dollars, _regressed(series, model.market_excess), observed)


def _held(frame: Frame, account: int) -> tuple[IntArray, FloatArray]:
    exposures, model = frame.exposures, frame.factor_model
    mine = (exposures.account == account) & exposures.is_open
    mine &= (exposures.underlying != NO_UNDERLYING) & np.isfinite(exposures.dollar_delta)
    underlying = exposures.underlying[mine]
    held = np.unique(underlying[np.isfinite(model.betas.shrunk[underlying])])
    return held, frame.dollar_deltas[account, held]


def _returns(model: FactorModel, held: IntArray) -> tuple[FloatArray, BoolArray]:
    own = model.excess[-WINDOW:, held]
    known = np.isfinite(own)
    use = model.available
    factors = model.recent[-WINDOW:, use]
    # Factor by factor, as a matrix product would round by how many are held.
    told = np.zeros(own.shape)
    for column, loading in zip(factors.T, model.loadings[held][:, use].T, strict=True):
        told += column[:, np.newaxis] * loading
    return np.where(known, own, told), known


def _regressed(series: FloatArray, market: FloatArray) -> MarketBetas:
    accounts = series.shape[1]
    beta, error, r_squared = (np.full(accounts, np.nan) for _ in range(3))
    found = MarketBetas(beta, error, r_squared, np.zeros(accounts, dtype=np.int64))
    thick = np.zeros(BLOCK, dtype=np.bool_)
    for columns in blocks(np.arange(accounts)):
        # A series that never moves has nothing to explain, and a slope of zero.
        fit = market_betas(filled(series[:, columns]), market[-len(series) :], thick)
        for target, source in (
            (found.beta, fit.beta),
            (found.error, fit.error),
            (found.r_squared, fit.r_squared),
        ):
            target[columns] = source[: columns.size]
        found.observations[columns] = fit.observations[: columns.size]
    return found
