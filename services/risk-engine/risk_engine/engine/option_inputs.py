"""What the market says that an option's price depends on, and where each number is from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np

from common import calendar
from common.options import Contract
from risk_engine.domain import Market
from risk_engine.engine.underlyings import NO_UNDERLYING, VOLATILITY_INDEX, Underlyings
from risk_engine.quant.curve import ZeroCurve, zero_curve, zero_rate
from risk_engine.quant.panel import (
    NO_COLUMN,
    BoolArray,
    FloatArray,
    IntArray,
    actions,
    dividends_per_share,
    split_factor,
)
from risk_engine.quant.volatility import SESSIONS_PER_YEAR, ewma_volatility, per_year

RateSource = Literal["curve", "default"]
DividendSource = Literal["vendor", "trailing", "none"]

BORROW_COST: Final = 0.003
"""Per year, of a share that can be lent: assumed, as nobody quotes it here."""
ESTIMATE_WINDOW: Final = 63
ESTIMATE_MARKUP: Final = 1.1
"""Options are dearer than what has been realised: the usual premium of implied volatility."""
_CURVE_DAYS = 10
"""A curve older than that is no curve."""
_ALIKE = "index"


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is known of each contract's market, (contracts,), NaN where it is not.

    `spot` is the underlying's price, the future's where `on_future`; `years` are from close to
    close, ACT/365, negative for what has expired; `rate` is continuous; `dividend_yield` includes
    `borrow_cost`, or is the rate on a future.
    """

    spot: FloatArray
    years: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    borrow_cost: FloatArray
    american: BoolArray
    on_future: BoolArray
    rate_source: RateSource
    dividend_source: tuple[DividendSource | None, ...]


def inputs_of(
    contracts: Sequence[Contract], underlying: IntArray, underlyings: Underlyings, market: Market
) -> Inputs:
    """Read the market at the close of `market.as_of`; `underlying` is each contract's row."""
    on_future = np.array([one.underlying == VOLATILITY_INDEX for one in contracts], dtype=np.bool_)
    kinds = underlyings.kinds
    is_index = np.array(
        [row != NO_UNDERLYING and kinds[row] == _ALIKE for row in underlying.tolist()],
        dtype=np.bool_,
    )
    years = years_to_expiry(contracts, market.as_of)
    curve = _curve(market)
    rate = zero_rate(curve, np.maximum(years, 0.0))
    yields, sources = _dividend_yields(underlyings, market)
    known = underlying != NO_UNDERLYING
    paid = np.where(known, yields[underlying], 0.0) if len(yields) else np.zeros(len(contracts))
    borrow = np.where(is_index | on_future, 0.0, BORROW_COST)
    return Inputs(
        spot=_spots(contracts, underlying, on_future, underlyings, market),
        years=years,
        rate=rate,
        dividend_yield=np.where(on_future, rate, paid + borrow),
        borrow_cost=borrow,
        american=~is_index & ~on_future,
        on_future=on_future,
        rate_source="default" if curve.is_default else "curve",
        dividend_source=tuple(
            None if future else sources[row] if row != NO_UNDERLYING else "none"
            for future, row in zip(on_future.tolist(), underlying.tolist(), strict=True)
        ),
    )


def years_to_expiry(contracts: Sequence[Contract], as_of: date) -> FloatArray:
    """Return the years from the close of `as_of` to that of each expiry, (contracts,).

    What expires on no session expires with the one before.
    """
    found = {expiry: _years(expiry, as_of) for expiry in {one.expiry for one in contracts}}
    return np.array([found[one.expiry] for one in contracts], dtype=np.float64)


def estimated_volatility(underlyings: Underlyings) -> FloatArray:
    """Return what options on each underlying may imply, (underlyings,), from its returns alone.

    The EWMA volatility of the last 63 sessions, marked up by a tenth; NaN with too few of them.
    """
    returns = underlyings.returns[-ESTIMATE_WINDOW:]
    if not len(returns):
        return np.full(len(underlyings), np.nan)
    return ESTIMATE_MARKUP * per_year(ewma_volatility(returns)[-1])


def _years(expiry: date, as_of: date) -> float:
    if not calendar.FIRST_DAY <= expiry <= calendar.LAST_DAY:
        return (expiry - as_of).days / 365
    last = calendar.sessions(max(expiry - timedelta(days=7), calendar.FIRST_DAY), expiry)[-1]
    return (calendar.close_of(last) - calendar.close_of(as_of)) / timedelta(days=365)


def _curve(market: Market) -> ZeroCurve:
    """Return the curve of the last session that has one, up to `as_of` and not long before."""
    rates = market.rates
    oldest = market.as_of - timedelta(days=_CURVE_DAYS)
    for row in range(len(rates.sessions) - 1, -1, -1):
        session = rates.sessions[row]
        if session < oldest:
            break
        if session <= market.as_of and np.isfinite(rates.zero[row]).any():
            return zero_curve(rates.years, rates.zero[row])
    return zero_curve(np.empty(0), np.empty(0))


def _spots(
    contracts: Sequence[Contract],
    underlying: IntArray,
    on_future: BoolArray,
    underlyings: Underlyings,
    market: Market,
) -> FloatArray:
    """Return the price at the moment of the quote; without a quote, the underlying's last close."""
    said = market.snapshots
    rows = [said.rows.get(one.symbol) for one in contracts]
    quoted = np.array([np.nan if row is None else said.underlying_price[row] for row in rows])
    quoted = np.where(quoted > 0, quoted, np.nan).reshape(len(contracts))
    closes = np.append(underlyings.price, np.nan)[underlying]  # NO_UNDERLYING is the last
    return np.where(np.isfinite(quoted) | on_future, quoted, closes)


def _dividend_yields(
    underlyings: Underlyings, market: Market
) -> tuple[FloatArray, tuple[DividendSource, ...]]:
    """Return a yield per year for each underlying, (underlyings,), and where it is from."""
    said = market.snapshots
    rows = [said.rows.get(key.symbol) for key in underlyings.keys]
    vendor = np.array([np.nan if row is None else said.dividend_yield[row] for row in rows])
    vendor = np.where(vendor >= 0, vendor, np.nan).reshape(len(underlyings))
    trailing = _trailing_yields(underlyings, market)
    found = np.where(np.isfinite(vendor), vendor, trailing)
    sources: list[DividendSource] = [
        "vendor" if known else "trailing" if paid else "none"
        for known, paid in zip(
            np.isfinite(vendor).tolist(), np.isfinite(trailing).tolist(), strict=True
        )
    ]
    return np.nan_to_num(found, nan=0.0), tuple(sources)


def _trailing_yields(underlyings: Underlyings, market: Market) -> FloatArray:
    prices, column = market.prices, underlyings.column
    last = np.full(len(column), len(prices.sessions) - 1, dtype=np.int64)
    first = np.maximum(last - SESSIONS_PER_YEAR, 0)
    splits = actions(prices.split_ratio, idle=1.0)
    paid = dividends_per_share(
        actions(prices.dividend, idle=0.0), splits, column, first, last
    ) / split_factor(splits, column, first, last)
    return np.where(column != NO_COLUMN, paid / underlyings.price, np.nan)
