"""What the market says that an option's price depends on, and where each number is from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, Literal

import numpy as np

from common import calendar
from common.options import Contract
from risk_engine.domain import Dividend, Market
from risk_engine.engine.underlyings import NO_UNDERLYING, VOLATILITY_INDEX, Underlyings
from risk_engine.quant.curve import (
    ZeroCurve,
    dividends_present_value,
    zero_curve,
    zero_rate,
)
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
YieldSource = Literal["vendor", "trailing", "none"]
DividendSource = Literal["scheduled", "vendor", "trailing", "none"]
"""`scheduled`: declared ones, after them the yield, whose source is another."""

BORROW_COST: Final = 0.003
"""Per year, of a share that can be lent: assumed, as nobody quotes it here."""
ESTIMATE_WINDOW: Final = 63
ESTIMATE_MARKUP: Final = 1.1
"""Options are dearer than what has been realised: the usual premium of implied volatility."""
_SESSION = timedelta(hours=6.5)
"""From the opening to the usual close: a share is without its dividend from the opening on."""
_CURVE_DAYS = 10
"""A curve older than that is no curve."""
_ALIKE = "index"


@dataclass(frozen=True, eq=False)
class Inputs:
    """What is known of each contract's market, (contracts,), NaN where it is not.

    `spot` is the underlying's price, the future's where `on_future`; `years` are from close to
    close, ACT/365, negative for what has expired; `rate` is continuous; `dividend_yield` includes
    `borrow_cost`, or is the rate on a future. `dividend` and `ex_years` are what has been declared
    and comes before the expiry, as `Options` has it; from then on the yield counts, whose part of
    `years` is in `dividend_yield`. `lacks_yield` marks where one counts and none is known.
    """

    spot: FloatArray
    years: FloatArray
    rate: FloatArray
    dividend_yield: FloatArray
    dividend: FloatArray
    ex_years: FloatArray
    lacks_yield: BoolArray
    borrow_cost: FloatArray
    american: BoolArray
    on_future: BoolArray
    rate_source: RateSource
    yield_source: tuple[YieldSource | None, ...]
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
    known = (underlying != NO_UNDERLYING) & ~on_future
    paid = np.where(known, yields[underlying], 0.0) if len(yields) else np.zeros(len(contracts))
    declared = _declared(contracts, known, years, curve, market)
    of_yield: tuple[YieldSource | None, ...] = tuple(
        None if future else sources[row] if row != NO_UNDERLYING else "none"
        for future, row in zip(on_future.tolist(), underlying.tolist(), strict=True)
    )
    borrow = np.where(is_index | on_future, 0.0, BORROW_COST)
    return Inputs(
        spot=_spots(contracts, underlying, on_future, underlyings, market),
        years=years,
        rate=rate,
        dividend_yield=np.where(on_future, rate, paid * declared.open_part + borrow),
        dividend=declared.amount,
        ex_years=declared.years,
        lacks_yield=known
        & (declared.open_part > 0)
        & np.array([source == "none" for source in of_yield], dtype=np.bool_),
        borrow_cost=borrow,
        american=~is_index & ~on_future,
        on_future=on_future,
        rate_source="default" if curve.is_default else "curve",
        yield_source=of_yield,
        dividend_source=tuple(
            "scheduled" if scheduled else source
            for scheduled, source in zip(declared.some.tolist(), of_yield, strict=True)
        ),
    )


@dataclass(frozen=True, eq=False)
class _Declared:
    """What has been declared on each contract's underlying, (contracts,).

    `some` marks where anything has. `amount` is what a single dividend at `years` would be that is
    worth as much as all before the expiry; it is paid at their mean time, by what they are worth.
    `open_part` is the part of the time to expiry that is after the last of them.
    """

    some: BoolArray
    amount: FloatArray
    years: FloatArray
    open_part: FloatArray


def _declared(
    contracts: Sequence[Contract],
    known: BoolArray,
    years: FloatArray,
    curve: ZeroCurve,
    market: Market,
) -> _Declared:
    schedule = market.snapshots.dividends
    mine = [
        _to_come(schedule.get(one.underlying, ()), market.as_of) if there else ()
        for one, there in zip(contracts, known.tolist(), strict=True)
    ]
    option = np.repeat(np.arange(len(contracts)), [len(one) for one in mine])
    ex_years = np.array([_years_to_ex(one.ex_date, market.as_of) for of in mine for one in of])
    amount = np.array([one.amount for of in mine for one in of])
    some = np.array([bool(one) for one in mine], dtype=np.bool_)
    parts = (option, ex_years.reshape(len(option)), amount.reshape(len(option)))
    worth = _worth(curve, *parts, years)
    moment = _worth(curve, parts[0], parts[1], parts[2] * parts[1], years)
    paid = worth > 0
    mean = np.divide(moment, worth, out=np.zeros(len(contracts)), where=paid)
    last = np.zeros(len(contracts))
    np.maximum.at(last, option, parts[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        open_part = np.where(years > 0, np.clip(1 - last / years, 0.0, 1.0), 1.0)
    rate = zero_rate(curve, np.maximum(years, 0.0))
    return _Declared(
        some=some,
        amount=np.where(paid, worth * np.exp(rate * mean), 0.0),
        years=mean,
        open_part=np.where(some, open_part, 1.0),
    )


def _worth(
    curve: ZeroCurve, option: IntArray, ex_years: FloatArray, amount: FloatArray, years: FloatArray
) -> FloatArray:
    return dividends_present_value(
        curve, option=option, years=ex_years, amount=amount, expiry=years
    )


def _to_come(declared: Sequence[Dividend], as_of: date) -> Sequence[Dividend]:
    # What goes ex at `as_of` is out of that day's price already.
    return [one for one in declared if one.ex_date > as_of and 0 < one.amount < float("inf")]


def _years_to_ex(ex_date: date, as_of: date) -> float:
    """Return the years from a session's close to the opening of an ex-date."""
    if not calendar.is_session(ex_date):
        return (ex_date - as_of).days / 365
    return (calendar.close_of(ex_date) - _SESSION - calendar.close_of(as_of)) / timedelta(days=365)


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
) -> tuple[FloatArray, tuple[YieldSource, ...]]:
    """Return a yield per year for each underlying, (underlyings,), and where it is from."""
    said = market.snapshots
    rows = [said.rows.get(key.symbol) for key in underlyings.keys]
    vendor = np.array([np.nan if row is None else said.dividend_yield[row] for row in rows])
    vendor = np.where(vendor >= 0, vendor, np.nan).reshape(len(underlyings))
    trailing = _trailing_yields(underlyings, market)
    found = np.where(np.isfinite(vendor), vendor, trailing)
    sources: list[YieldSource] = [
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
