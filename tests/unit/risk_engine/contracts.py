"""Option contracts by hand: markets of one share, what is quoted of it, and contracts priced."""

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from common import calendar
from common.options import Contract
from risk_engine.domain import Market, Rates, Security, Snapshots
from risk_engine.engine.listing import contracts_of
from risk_engine.engine.options import price_contracts
from risk_engine.engine.underlyings import underlyings_of
from risk_engine.quant.pricing import Greeks
from tests.unit.risk_engine.books import AS_OF, NAN, book, market, option

EXPIRY = date(2026, 6, 18)
NAMES = [field.name for field in fields(Greeks)]
POSITIONS = {"call": ("LC", "SC"), "put": ("LP", "SP")}


def holding(number, contract, quantity="1"):
    """Return a position in a contract."""
    return replace(
        option(number, quantity, "5", contract.expiry),
        position_type=POSITIONS[contract.right][Decimal(quantity) < 0],
        underlying_symbol=contract.underlying,
        strike_price=contract.strike,
    )


def priced(everything, *books, histories=None):
    """Return the contracts of some books, priced."""
    underlyings = underlyings_of(books, everything)
    listing = contracts_of(books, underlyings, everything, histories)
    return price_contracts(listing, underlyings, everything)


CALL = Contract("XYZ", EXPIRY, "call", Decimal(100))
PUT = Contract("XYZ", EXPIRY, "put", Decimal(90))
STOCK = {"XYZ": Security("XYZ", "stock", None, None)}


def quoted(quotes, dividend_yields=()):
    """Return snapshots of bids and asks by contract, and of yields by symbol."""
    by_symbol = {contract.symbol: pair for contract, pair in quotes.items()}
    symbols = tuple(sorted({*by_symbol, *dict(dividend_yields)}))
    pairs = np.array([by_symbol.get(one, (NAN, NAN)) for one in symbols]).reshape(-1, 2)
    yields = np.array([dict(dividend_yields).get(one, NAN) for one in symbols])
    unknown = np.full(len(symbols), NAN)
    return Snapshots(
        symbols,
        bid=pairs[:, 0],
        ask=pairs[:, 1],
        market_cap=unknown,
        dividend_yield=yields,
        beta=unknown,
        volume=unknown,
        open_interest=unknown,
        underlying_price=unknown,
    )


def flat(rate, *days):
    """Return curves at one rate, on some days."""
    return Rates(tuple(days), np.array([0.25, 1.0, 5.0]), np.full((len(days), 3), rate))


def small(closes=None, snapshots=None, rates=None, securities=None, **more):
    """Return a market of one share at 100 over the eight sessions."""
    prices = market(closes or {"XYZ": [100.0] * 8}, **more)
    said = snapshots or Snapshots.silent()
    known = STOCK if securities is None else securities
    return Market(prices, prices, said, known, rates or flat(0.05, AS_OF), None)


def long_market(returns, **more):
    """Return a market whose share has had these returns."""
    sessions = calendar.sessions(AS_OF - timedelta(days=200), AS_OF)[-len(returns) - 1 :]
    closes = 100 * np.cumprod([1.0, *(1 + np.asarray(returns))])
    prices = market({"XYZ": (closes / closes[-1] * 100).tolist()}, sessions=tuple(sessions))
    return replace(small(**more), prices=prices)


RETURNS = np.tile([0.01, -0.01], 40)


def one(everything, *lines, **more):
    found = priced(everything, book(lines, **more))
    assert len(found) == 1
    return found
