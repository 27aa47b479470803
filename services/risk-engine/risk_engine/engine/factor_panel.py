"""What the factors did, session by session: from the reference funds and the Treasury's curve."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from risk_engine.domain import Market, Prices, Rates
from risk_engine.engine.asset_classes import fund_durations
from risk_engine.quant.covariance import shrunk_ewma_covariance
from risk_engine.quant.curve import DEFAULT_RATE
from risk_engine.quant.factors import FACTORS, FUNDS, MIN_OBSERVATIONS, WINDOW, factor_returns
from risk_engine.quant.fixed_income import carried_over, yield_changes, yield_changes_of_fund
from risk_engine.quant.panel import MAX_PRICE_AGE, BoolArray, FloatArray
from risk_engine.quant.regression import condition_number, variance_inflation
from risk_engine.quant.returns import risk_free_returns, total_returns

COVARIANCE_WINDOW = 1_260
"""Sessions: five half-lives of correlations; what is older weighs a thirtieth."""
TEN_YEARS, TWO_YEARS = 10.0, 2.0
RATES_FUND = "TLT"

RateSource = Literal["curve", "default"]
YieldSource = Literal["curve", "fund"]


@dataclass(frozen=True, eq=False)
class FactorPanel:
    """Factors over the sessions of `market.reference`; returns are simple, as decimals.

    `returns` are (sessions, FACTORS), `funds` (sessions, symbols of the reference); `risk_free` and
    `slope_change` (of the 10-year less the 2-year yield) are (sessions,). `available` are the
    factors that enough sessions are known of; `covariance` is per session, NaN in the others' rows
    and columns, as `inflation` is.
    """

    sessions: tuple[date, ...]
    returns: FloatArray
    risk_free: FloatArray
    slope_change: FloatArray
    funds: FloatArray
    available: BoolArray
    covariance: FloatArray
    shrinkage: float
    inflation: FloatArray
    condition: float
    rate_source: RateSource
    yield_source: YieldSource

    def over(self, prices: Prices) -> "FactorPanel":
        """Return the panel's rows of other sessions; NaN for those it does not have."""
        rows = {session: row for row, session in enumerate(self.sessions)}
        place = np.array([rows.get(session, -1) for session in prices.sessions], dtype=np.int64)

        def moved(table: FloatArray) -> FloatArray:
            taken = np.full((len(place), *table.shape[1:]), np.nan)
            taken[place >= 0] = table[place[place >= 0]]
            return taken

        return FactorPanel(
            sessions=prices.sessions,
            returns=moved(self.returns),
            risk_free=moved(self.risk_free),
            slope_change=moved(self.slope_change),
            funds=moved(self.funds),
            available=self.available,
            covariance=self.covariance,
            shrinkage=self.shrinkage,
            inflation=self.inflation,
            condition=self.condition,
            rate_source=self.rate_source,
            yield_source=self.yield_source,
        )


def factor_panel(market: Market) -> FactorPanel:
    """Build the factors of a market."""
    reference = market.reference
    funds = total_returns(reference.close, reference.split_ratio, reference.dividend)
    bill = _yields(market.rates, reference, 0.0)
    rate_source: RateSource = "curve" if np.isfinite(bill).any() else "default"
    if rate_source == "default":
        bill = np.full(len(reference.sessions), DEFAULT_RATE)
    day = np.array([session.toordinal() for session in reference.sessions], dtype=np.int64)
    risk_free = risk_free_returns(bill, day)
    ten = _yields(market.rates, reference, TEN_YEARS)
    yield_source: YieldSource = "curve" if np.isfinite(ten).any() else "fund"
    durations = fund_durations()
    if yield_source == "curve":
        level = yield_changes(carried_over(ten, MAX_PRICE_AGE))
    else:
        level = yield_changes_of_fund(
            _fund(funds, reference, RATES_FUND), durations[RATES_FUND].duration
        )
    chosen = np.column_stack([_fund(funds, reference, symbol) for symbol in FUNDS])
    ratio = durations["HYG"].duration / durations["IEF"].duration
    returns = factor_returns(chosen, risk_free, level, ratio)
    available = np.isfinite(returns[-WINDOW:]).sum(axis=0) >= MIN_OBSERVATIONS
    covariance, shrinkage, inflation, condition = _shape(returns, available)
    return FactorPanel(
        sessions=reference.sessions,
        returns=returns,
        risk_free=risk_free,
        slope_change=yield_changes(
            carried_over(ten - _yields(market.rates, reference, TWO_YEARS), MAX_PRICE_AGE)
        ),
        funds=funds,
        available=available,
        covariance=covariance,
        shrinkage=shrinkage,
        inflation=inflation,
        condition=condition,
        rate_source=rate_source,
        yield_source=yield_source,
    )


def _shape(
    returns: FloatArray, available: BoolArray
) -> tuple[FloatArray, float, FloatArray, float]:
    count = len(FACTORS)
    covariance, inflation = np.full((count, count), np.nan), np.full(count, np.nan)
    known = returns[-COVARIANCE_WINDOW:, available]
    known = known[np.isfinite(known).all(axis=1)]
    if not available.any() or len(known) < MIN_OBSERVATIONS:
        return covariance, np.nan, inflation, np.nan
    covariance[np.ix_(available, available)], shrinkage = shrunk_ewma_covariance(known)
    regressors = known[-WINDOW:]
    inflation[available] = variance_inflation(regressors)
    condition = condition_number(np.column_stack((np.ones(len(regressors)), regressors)))
    return covariance, shrinkage, inflation, condition


def _fund(funds: FloatArray, reference: Prices, symbol: str) -> FloatArray:
    column = reference.columns.get(symbol)
    return np.full(len(funds), np.nan) if column is None else funds[:, column]


def _yields(rates: Rates, reference: Prices, tenor: float) -> FloatArray:
    """Return the zero rate of a tenor by session: between its neighbours, flat beyond the ends."""
    answer = np.full(len(reference.sessions), np.nan)
    if not len(rates.years):
        return answer
    above = int(np.clip(np.searchsorted(rates.years, tenor), 0, len(rates.years) - 1))
    below = max(above - 1, 0)
    low, high = rates.years[below], rates.years[above]
    share = np.clip((tenor - low) / (high - low), 0.0, 1.0) if high > low else 1.0
    curve = rates.zero[:, above]
    if share < 1:  # else its neighbour does not count, known or not
        curve = (1 - share) * rates.zero[:, below] + share * curve
    found = dict(zip(rates.sessions, curve.tolist(), strict=True))
    for row, session in enumerate(reference.sessions):
        answer[row] = found.get(session, np.nan)
    return answer
