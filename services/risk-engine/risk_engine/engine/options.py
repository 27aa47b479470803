"""The distinct option contracts of a chunk, each priced once, whoever holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal
from uuid import UUID

import numpy as np

from common.options import Contract
from risk_engine.domain import Market
from risk_engine.engine.known_options import greeks_of
from risk_engine.engine.listing import Listed, Listing, mids, too_wide
from risk_engine.engine.memo import Memo
from risk_engine.engine.option_inputs import (
    DividendSource,
    Inputs,
    RateSource,
    YieldSource,
    estimated_volatility,
    inputs_of,
)
from risk_engine.engine.underlyings import NO_UNDERLYING, Key, Underlyings
from risk_engine.quant.greeks import with_an_hour_left
from risk_engine.quant.implied_volatility import TOO_CHEAP, implied_volatility
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.pricing import Greeks, Options, net_spot
from risk_engine.quant.volatility_surface import nearby_volatility

PriceSource = Literal["quote", "model"]
QuoteUse = Literal["price_and_volatility", "price", "too_wide", "none"]
"""What a contract's quote is good for; `price`: it implies no volatility."""
VolatilitySource = Literal["quote", "last_quote", "surface", "estimated"]
"""`last_quote`: the contract's own of a session before."""
Flag = Literal[
    "estimated_volatility",
    "quote_at_exercise",
    "default_rate",
    "no_dividend_yield",
    "default_borrow_cost",
]
Reason = Literal["expired", "no_underlying_price", "no_future_price", "no_volatility"]


@dataclass(frozen=True, eq=False)
class Contracts:
    """Distinct contracts, sorted by symbol; arrays are (contracts,), NaN where not known.

    `rows` gives the row of a portfolio's position. `underlying` is a row of `Underlyings`. `terms`
    are what the model is asked with, the spot being the future for an option on the volatility
    index (`on_future`), the yield including `borrow_cost`, the dividend what stands for all that
    have been declared and come before the expiry. All is per share of today, of which a
    position has `split_factor` for each it states. `price` is the quote's mid, else the model's, as
    `price_source` says; `greeks` are the model's at `terms`, zero for what has expired before.
    `quote_use` says what became of the quote, `flags` what had to be assumed; `reason` why nothing
    is known.
    """

    contracts: tuple[Contract, ...]
    rows: Mapping[tuple[UUID, UUID], int]
    underlying: IntArray
    split_factor: FloatArray
    terms: Options
    american: BoolArray
    on_future: BoolArray
    borrow_cost: FloatArray
    price: FloatArray
    greeks: Greeks
    price_source: tuple[PriceSource | None, ...]
    volatility_source: tuple[VolatilitySource | None, ...]
    rate_source: tuple[RateSource, ...]
    yield_source: tuple[YieldSource | None, ...]
    dividend_source: tuple[DividendSource | None, ...]
    quote_use: tuple[QuoteUse, ...]
    flags: tuple[tuple[Flag, ...], ...]
    reason: tuple[Reason | None, ...]

    def __len__(self) -> int:
        return len(self.contracts)


def price_contracts(
    listing: Listing, underlyings: Underlyings, market: Market, memo: Memo | None = None
) -> Contracts:
    """Price contracts at the close of `market.as_of`."""
    # Neighbours are priced as well: their rows come first among those of their contract.
    beside = {Listed(one, 1.0) for listed in listing.values() for one in listed.neighbours}
    distinct = sorted(
        beside | set(listing.values()),
        key=lambda one: (
            *(one.contract.symbol, one.split_factor, one.neighbours),
            one.last_volatility or 0.0,
        ),
    )
    row_of = {listed: row for row, listed in enumerate(distinct)}
    contracts = [one.contract for one in distinct]
    underlying = np.array(
        [underlyings.rows.get(Key(one.underlying, None), NO_UNDERLYING) for one in contracts],
        dtype=np.int64,
    )
    inputs = inputs_of(contracts, underlying, underlyings, market)
    factor = np.array([one.split_factor for one in distinct], dtype=np.float64)
    terms = with_an_hour_left(_terms(contracts, factor, inputs))
    mid = mids(contracts, factor, market.snapshots)
    implied = implied_volatility(terms, mid, inputs.american)
    nearby = _from_neighbours(distinct, row_of, terms, implied.volatility)
    last = np.array([one.last_volatility for one in distinct], dtype=np.float64)
    told: Mapping[VolatilitySource, FloatArray] = {
        "quote": implied.volatility,
        "last_quote": last,
        "surface": nearby,
        "estimated": _estimated(underlying, inputs, underlyings),
    }
    volatility, sources = _volatilities(told)
    terms = replace(terms, volatility=volatility)
    greeks = _greeks(terms, inputs, memo or Memo())
    price, price_sources = _prices(mid, greeks, terms)
    return Contracts(
        contracts=tuple(contracts),
        rows={held: row_of[listed] for held, listed in listing.items()},
        underlying=underlying,
        split_factor=factor,
        terms=terms,
        american=inputs.american,
        on_future=inputs.on_future,
        borrow_cost=inputs.borrow_cost,
        price=price,
        greeks=greeks,
        price_source=price_sources,
        volatility_source=sources,
        rate_source=(inputs.rate_source,) * len(contracts),
        yield_source=inputs.yield_source,
        dividend_source=inputs.dividend_source,
        quote_use=_quote_use(
            mid, implied.volatility, too_wide(contracts, factor, market.snapshots)
        ),
        flags=_flags(inputs, sources, implied.reason == TOO_CHEAP),
        reason=_reasons(terms, inputs),
    )


def _terms(contracts: Sequence[Contract], factor: FloatArray, inputs: Inputs) -> Options:
    strike = np.array([float(one.strike) for one in contracts], dtype=np.float64)
    return Options(
        is_call=np.array([one.right == "call" for one in contracts], dtype=np.bool_),
        spot=inputs.spot,
        strike=strike / factor,
        years=inputs.years,
        volatility=np.full(len(contracts), np.nan),
        rate=inputs.rate,
        dividend_yield=inputs.dividend_yield,
        dividend=inputs.dividend,
        ex_years=inputs.ex_years,
    )


def _estimated(underlying: IntArray, inputs: Inputs, underlyings: Underlyings) -> FloatArray:
    estimated = np.append(estimated_volatility(underlyings), np.nan)[underlying]
    # What the index itself has done says nothing about a future on it.
    return np.where(inputs.on_future, np.nan, estimated)


def _volatilities(
    told: Mapping[VolatilitySource, FloatArray],
) -> tuple[FloatArray, tuple[VolatilitySource | None, ...]]:
    """Return the volatility of each contract from the best source there is; the best is first."""
    volatility = np.full(len(told["quote"]), np.nan)
    sources: list[VolatilitySource | None] = [None] * len(volatility)
    for source, values in told.items():
        for row in np.flatnonzero(np.isnan(volatility) & (values > 0)).tolist():
            volatility[row], sources[row] = values[row], source
    return volatility, tuple(sources)


def _from_neighbours(
    distinct: Sequence[Listed],
    row_of: Mapping[Listed, int],
    terms: Options,
    volatility: FloatArray,
) -> FloatArray:
    found = np.full(len(distinct), np.nan)
    asked = [row for row, one in enumerate(distinct) if one.neighbours]
    if not asked:
        return found
    most = max(len(distinct[row].neighbours) for row in asked)
    quoted = np.full((len(asked), most), -1, dtype=np.int64)
    for place, row in enumerate(asked):
        beside = [row_of[Listed(one, 1.0)] for one in distinct[row].neighbours]
        quoted[place, : len(beside)] = beside
    years = np.where(terms.years > 0, terms.years, np.nan)
    forward = np.log(net_spot(terms)) + (terms.rate - terms.dividend_yield) * years
    moneyness = (np.log(terms.strike) - forward) / np.sqrt(years)
    padded = [np.append(values, np.nan)[quoted] for values in (moneyness, years, volatility)]
    found[asked] = nearby_volatility(moneyness[asked], years[asked], *padded)
    return found


def _greeks(terms: Options, inputs: Inputs, memo: Memo) -> Greeks:
    # At expiry volatility no longer matters, and nobody quotes one.
    settled = replace(terms, volatility=np.where(terms.years <= 0, 0.0, terms.volatility))
    greeks = greeks_of(memo, settled, inputs.american)
    # The future stands still when rates move: only the discounting of its option does not.
    futures_rho = -np.maximum(terms.years, 0.0) * greeks.price / 100
    greeks = replace(greeks, rho=np.where(inputs.on_future, futures_rho, greeks.rho))
    expired = terms.years < 0
    worth = {one.name: getattr(greeks, one.name) for one in fields(Greeks)}
    nothing_left = {name: np.where(expired, 0.0, values) for name, values in worth.items()}
    return Greeks(**nothing_left | {"price": np.where(expired, np.nan, greeks.price)})


def _reasons(terms: Options, inputs: Inputs) -> tuple[Reason | None, ...]:
    def reason(years: float, spot: float, volatility: float, on_future: bool) -> Reason | None:  # noqa: FBT001 - a row of the table
        if years < 0:
            return "expired"
        if np.isnan(spot):
            return "no_future_price" if on_future else "no_underlying_price"
        return "no_volatility" if years > 0 and np.isnan(volatility) else None

    columns = (terms.years, terms.spot, terms.volatility, inputs.on_future)
    return tuple(map(reason, *(column.tolist() for column in columns)))


def _prices(
    mid: FloatArray, greeks: Greeks, terms: Options
) -> tuple[FloatArray, tuple[PriceSource | None, ...]]:
    quoted = np.isfinite(mid) & (terms.years > 0)
    price = np.where(quoted, mid, greeks.price)
    sources: list[PriceSource | None] = [
        "quote" if quote else None if unknown else "model"
        for quote, unknown in zip(quoted.tolist(), np.isnan(price).tolist(), strict=True)
    ]
    return price, tuple(sources)


def _quote_use(mid: FloatArray, implied: FloatArray, is_wide: BoolArray) -> tuple[QuoteUse, ...]:
    def use(price: float, volatility: float, wide: bool) -> QuoteUse:  # noqa: FBT001 - a row of the table
        if wide:
            return "too_wide"
        if np.isnan(price):
            return "none"
        return "price" if np.isnan(volatility) else "price_and_volatility"

    return tuple(map(use, mid.tolist(), implied.tolist(), is_wide.tolist()))


def _flags(
    inputs: Inputs, volatility_source: Sequence[VolatilitySource | None], at_exercise: BoolArray
) -> tuple[tuple[Flag, ...], ...]:
    found = []
    columns = (
        *(inputs.dividend_source, inputs.lacks_yield.tolist()),
        *(inputs.borrow_cost.tolist(), at_exercise.tolist()),
    )
    for volatility, dividend, lacking, borrow, cheap in zip(
        volatility_source, *columns, strict=True
    ):
        said: dict[Flag, bool] = {
            # Whatever its volatility, what is worth no more than its exercise has a delta of one.
            "estimated_volatility": volatility == "estimated" and not cheap,
            "quote_at_exercise": cheap,
            "default_rate": inputs.rate_source == "default",
            "no_dividend_yield": dividend == "none" or lacking,
            "default_borrow_cost": borrow > 0,
        }
        found.append(tuple(flag for flag, is_so in said.items() if is_so))
    return tuple(found)
