"""How accounts as a whole move with the market, were what they hold now what they always held."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from risk_engine.engine.factor_model import FactorModel
from risk_engine.engine.frame import Frame
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.quant.blocks import BLOCK, blocks, filled
from risk_engine.quant.market_beta import WINDOW, MarketBetas, market_betas
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

LEAST_KNOWN: Final = 0.8
"""Share of the sessions with a return of its own from which on a holding is in the regression."""
LEAST_OBSERVED: Final = 0.1
"""Share of |dollar delta| in the regression below which it does not speak for the account."""


@dataclass(frozen=True, eq=False)
class AccountBetas:
    """Betas in dollars per unit of the market's return, (accounts,); over NAV they are betas.

    `dollars` adds up what the holdings' shrunk betas say, and `error` is its standard error.
    `regressed` is the slope of the return series of the current holdings that have returns, with
    its error, share explained and sessions; NaN where those are too few. `observed_share` is how
    much of |dollar delta|, cash aside, that series is made of.
    """

    dollars: FloatArray
    error: FloatArray
    regressed: MarketBetas
    observed_share: FloatArray


@dataclass(frozen=True, eq=False)
class _Holdings:
    """What an account holds, (held,); `returns` and `known` are (sessions, held)."""

    dollars: FloatArray
    returns: FloatArray
    known: BoolArray
    told: BoolArray
    is_cash: BoolArray

    @property
    def observed_share(self) -> float:
        size = np.where(self.is_cash, 0.0, np.abs(self.dollars))
        total = float(size.sum())
        return float((self.known.mean(axis=0) * size)[self.told].sum()) / total if total else np.nan


def account_betas(frame: Frame) -> AccountBetas:
    """Find the betas of all accounts; NaN where nothing of an account is modelled.

    What has returns of its own is regressed as one series. Of what is only believed a series could
    be made of nothing but the market itself, which the market would explain without any error: it
    adds the errors of its beliefs, taken for unrelated.
    """
    model = frame.factor_model
    accounts = len(frame.books)
    series = np.full((min(WINDOW, len(model.excess)), accounts), np.nan)
    dollars, believed, observed = (np.full(accounts, np.nan) for _ in range(3))
    for account in range(accounts):
        held, amounts = _held(frame, account)
        if not held.size:
            continue
        dollars[account] = (amounts * model.betas.shrunk[held]).sum()
        holdings = _holdings(model, held, amounts)
        observed[account] = holdings.observed_share
        told = holdings.told & (observed[account] >= LEAST_OBSERVED)
        if told.any():
            # One account at a time: its sums do not depend on what others hold.
            series[:, account] = (holdings.returns * amounts)[:, told].sum(axis=1)
        believed[account] = np.sqrt((((amounts * model.betas.error[held]) ** 2)[~told]).sum())
    regressed = _regressed(series, model.market_excess)
    return AccountBetas(
        dollars, np.hypot(np.nan_to_num(regressed.error), believed), regressed, observed
    )


def _held(frame: Frame, account: int) -> tuple[IntArray, FloatArray]:
    exposures, model = frame.exposures, frame.factor_model
    mine = (exposures.account == account) & exposures.is_open
    mine &= (exposures.underlying != NO_UNDERLYING) & np.isfinite(exposures.dollar_delta)
    underlying = exposures.underlying[mine]
    held = np.unique(underlying[np.isfinite(model.betas.shrunk[underlying])])
    return held, frame.sensitivities[account, held]


def _holdings(model: FactorModel, held: IntArray, dollars: FloatArray) -> _Holdings:
    own = model.excess[-WINDOW:, held]
    known = np.isfinite(own)
    use = model.available
    factors = model.recent[-WINDOW:, use]
    # Factor by factor, as a matrix product would round by how many are held.
    filling = np.zeros(own.shape)
    for column, loading in zip(factors.T, model.loadings[held][:, use].T, strict=True):
        filling += column[:, np.newaxis] * loading
    return _Holdings(
        dollars=dollars,
        returns=np.where(known, own, filling),
        known=known,
        told=np.isfinite(model.betas.raw[held]) & (known.mean(axis=0) >= LEAST_KNOWN),
        is_cash=model.is_cash[held],
    )


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
