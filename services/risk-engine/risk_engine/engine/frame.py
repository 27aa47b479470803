"""A chunk of books laid out once, as arrays, for all engines.

Axes: holdings are the lines of all books that can be valued (`ledger.holdings`); accounts are the
books, in order; underlyings, contracts and sessions as their own dataclasses say. What is not known
is NaN. Money is in US dollars; short is negative.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from uuid import UUID

import numpy as np

from risk_engine.domain import Book, History, Market, Valuation
from risk_engine.engine.digests import Digests, digests_of
from risk_engine.engine.factor_model import FactorModel, factor_model
from risk_engine.engine.histories import OWN, Histories, histories_of
from risk_engine.engine.listing import contracts_of
from risk_engine.engine.memo import Memo
from risk_engine.engine.options import Contracts, price_contracts
from risk_engine.engine.statement import valuations
from risk_engine.engine.underlyings import NO_UNDERLYING, Underlyings, key_of, underlyings_of
from risk_engine.engine.valuation import Valued, value
from risk_engine.quant.factor_risk import netted
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray
from risk_engine.quant.volatility_surface import damping

NO_CONTRACT = -1


@dataclass(frozen=True, eq=False)
class Exposures:
    """What each holding is exposed to now, (holdings,); 0 for one that is not open.

    `quantity` is in units as of `as_of` (splits included), `value` the market or carried value.
    `dollar_delta` is q m delta S: the value for what is no option. `sensitivity` is its gain, to
    first order, for a return of the underlying of one: the same, but for an option on the
    volatility index, whose future moves by less than the index the longer it runs. `dollar_gamma`
    is the change of the dollar delta for 1 % of the underlying, `vega` money per volatility point,
    `theta` per calendar day, `rho` per 100 basis points. NaN for an option that could not be
    modelled.
    `underlying` and `contract` are rows of those, -1 where there is none.
    """

    account: IntArray
    underlying: IntArray
    contract: IntArray
    is_open: BoolArray
    is_option: BoolArray
    quantity: FloatArray
    multiplier: FloatArray
    value: FloatArray
    dollar_delta: FloatArray
    sensitivity: FloatArray
    dollar_gamma: FloatArray
    vega: FloatArray
    theta: FloatArray
    rho: FloatArray


@dataclass(frozen=True, eq=False)
class Frame:
    """Everything the engines need to know of a chunk.

    `dollar_deltas` and `sensitivities` are by account and underlying, (accounts, underlyings): sums
    over holdings that could be modelled, exactly 0 where they cancel but for rounding; returns,
    betas and loadings are of the latter. `net_asset_value` is
    (accounts,). `histories` are what is stored of the accounts' sessions before `as_of`. `digests`
    are of what the frame is made from, `memo` what is known from other frames.
    """

    market: Market
    books: tuple[Book, ...]
    histories: tuple[History, ...]
    valued: Valued
    valuations: tuple[Valuation, ...]
    underlyings: Underlyings
    contracts: Contracts
    exposures: Exposures
    dollar_deltas: FloatArray
    sensitivities: FloatArray
    factor_model: FactorModel
    digests: Digests
    memo: Memo

    @property
    def as_of(self) -> date:
        """Return the session at whose close everything stands."""
        return self.market.as_of

    @cached_property
    def return_histories(self) -> Histories:
        """Return the underlyings' returns, gaps filled."""
        return histories_of(self.underlyings, self.market.prices, self.factor_model)

    @cached_property
    def proxied(self) -> BoolArray:
        """Mark underlyings without a history of their own: what no result without proxies has."""
        return np.asarray(self.factor_model.proxied | (self.return_histories.source != OWN))

    @property
    def net_asset_value(self) -> FloatArray:
        """Return what each account is worth, (accounts,)."""
        return self.valued.accounts.net_asset_value


def lay_out_chunk(
    books: Sequence[Book],
    market: Market,
    opening_cash: Mapping[UUID, Decimal],
    histories: Sequence[History],
    memo: Memo | None = None,
) -> Frame:
    """Lay out books none of which `engine.acceptance.refusal` refuses."""
    memo = memo or Memo()
    underlyings = underlyings_of(books, market)
    digests = digests_of(market, underlyings)
    stored = {book.portfolio_id: one for book, one in zip(books, histories, strict=True)}
    listing = contracts_of(books, underlyings, market, stored)
    contracts = price_contracts(listing, underlyings, market, memo)
    valued = value(
        books,
        market.ledger,
        market.as_of,
        opening_cash,
        contracts=contracts,
        histories=histories,
    )
    exposures = _exposures(books, valued, underlyings, contracts)
    return Frame(
        market=market,
        books=tuple(books),
        histories=tuple(histories),
        valued=valued,
        valuations=tuple(valuations(valued, books, market.ledger, market.as_of)),
        underlyings=underlyings,
        contracts=contracts,
        exposures=exposures,
        dollar_deltas=_by_underlying(
            exposures, exposures.dollar_delta, len(books), len(underlyings)
        ),
        sensitivities=_by_underlying(
            exposures, exposures.sensitivity, len(books), len(underlyings)
        ),
        factor_model=factor_model(underlyings, market, digests, memo),
        digests=digests,
        memo=memo,
    )


def _exposures(
    books: Sequence[Book], valued: Valued, underlyings: Underlyings, contracts: Contracts
) -> Exposures:
    holdings, values = valued.ledger.holdings, valued.values
    held = [
        (book.portfolio_id, line.position)
        for book, lines in zip(books, valued.ledger.lines, strict=True)
        for line in lines
        if line.row is not None
    ]
    positions = [position for _, position in held]
    keys = [key_of(position) for position in positions]
    underlying = np.array(
        [NO_UNDERLYING if key is None else underlyings.rows[key] for key in keys], dtype=np.int64
    )
    contract = np.array(
        [contracts.rows.get((owner, position.id), NO_CONTRACT) for owner, position in held],
        dtype=np.int64,
    )
    is_option = np.array([one.investment_class == "OPTIONS" for one in positions], dtype=np.bool_)
    is_open = ~values.pending & ~values.closed
    quantity = np.where(is_open, holdings.quantity * values.split_factor, 0.0)
    units = quantity * holdings.multiplier
    value = np.where(is_open, values.value, 0.0)

    def of_options(per_share: FloatArray, otherwise: FloatArray) -> FloatArray:
        held = np.full(len(contract), np.nan)
        known = contract != NO_CONTRACT
        held[known] = units[known] * per_share[contract[known]]
        return np.where(is_option & is_open, held, otherwise)

    nothing = np.zeros_like(value)
    greeks = contracts.greeks
    moved = np.where(contracts.on_future, damping(contracts.terms.years), 1.0)
    # What has expired has a delta of nothing, of a spot that may not be known.
    spot = np.where(greeks.delta == 0, 0.0, contracts.terms.spot)
    return Exposures(
        account=holdings.account,
        underlying=underlying,
        contract=contract,
        is_open=is_open,
        is_option=is_option,
        quantity=quantity,
        multiplier=holdings.multiplier,
        value=value,
        dollar_delta=of_options(greeks.delta * spot, value),
        sensitivity=of_options(greeks.delta * spot * moved, value),
        dollar_gamma=of_options(greeks.gamma * spot**2 / 100, nothing),
        vega=of_options(greeks.vega, nothing),
        theta=of_options(greeks.theta, nothing),
        rho=of_options(greeks.rho, nothing),
    )


def _by_underlying(
    exposures: Exposures, amounts: FloatArray, accounts: int, underlyings: int
) -> FloatArray:
    known = ~np.isnan(amounts) & (exposures.underlying != NO_UNDERLYING)
    place = exposures.account[known] * underlyings + exposures.underlying[known]
    summed = netted(place, amounts[known], accounts * underlyings)
    return summed.reshape(accounts, underlyings)
