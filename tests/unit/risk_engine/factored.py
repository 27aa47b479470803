"""The simulated market with a handful of names, and books of them, for the factor engine."""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np

from risk_engine.domain import History, Market, Prices
from risk_engine.engine.factor_model import FactorModel, factor_model
from risk_engine.engine.factors import calculate
from risk_engine.engine.frame import Frame, lay_out_chunk
from risk_engine.engine.results import EngineResult
from risk_engine.engine.underlyings import Underlyings, underlyings_of
from tests.support.simulated import AS_OF, simulated_market
from tests.unit.risk_engine.books import book, position, private

OPENING = date(2025, 12, 30)
NAMES = ("AAPL", "BND", "GLD", "HYG", "JPM", "QQQ", "SPAXX", "SPY", "TLT", "XLU", "XOM")


@cache
def market() -> Market:
    """Everything about NAMES at the end of 2025."""
    return simulated_market(NAMES, AS_OF)


def account(*positions, number=1, equity="100000"):
    """A book opened two sessions before."""
    return book(positions, number=number, equity=equity, opening_session=OPENING)


def shares(number, symbol, quantity):
    """Shares bought for what they cost at the opening, more or less."""
    return position(number, symbol, str(quantity), "100", entry_date=OPENING)


def asset(number, subtype, value="10000"):
    """One unit of a private asset."""
    return replace(private(number, f"P{number}", value), investment_subtype=subtype)


@cache
def frame_of(*books, of: Market | None = None) -> Frame:
    """Lay out some books."""
    return lay_out_chunk(books, of or market(), {}, [History.none()] * len(books))


@cache
def result_of(*books, of: Market | None = None) -> EngineResult:
    """Return what the engine finds of the first of some books."""
    answer = calculate(frame_of(*books, of=of))[0]
    assert isinstance(answer, EngineResult)
    return answer


@cache
def model_of(*positions, of: Market | None = None) -> tuple[FactorModel, Underlyings]:
    """Return the factor model of what some positions are in."""
    underlyings = underlyings_of([account(*positions)], of or market())
    return factor_model(underlyings, of or market()), underlyings


def rows_of(table, key="name"):
    """Return the rows of a table by one of its columns."""
    columns = table["table"]
    return {
        name: {column: cells[place] for column, cells in columns.items()}
        for place, name in enumerate(columns[key])
    }


def without(prices: Prices, *symbols: str) -> Prices:
    """Return a panel without some symbols."""
    keep = [place for place, symbol in enumerate(prices.symbols) if symbol not in symbols]
    tables = ("close", "split_ratio", "dividend", "open", "high", "low", "volume")
    return replace(
        prices,
        symbols=tuple(prices.symbols[place] for place in keep),
        **{name: getattr(prices, name)[:, keep] for name in tables},
    )


def shortened(symbol: str, sessions: int) -> Market:
    """Return the market in which a symbol was listed that many sessions ago."""
    close = market().prices.close.copy()
    close[:-sessions, market().prices.columns[symbol]] = np.nan
    return replace(market(), prices=replace(market().prices, close=close))


def halted(symbol: str, sessions: int) -> Market:
    """Return the market in which a symbol has had no price for some sessions."""
    close = market().prices.close.copy()
    close[-sessions:, market().prices.columns[symbol]] = np.nan
    return replace(market(), prices=replace(market().prices, close=close))


def halved(symbol: str, when: int) -> Market:
    """Return the market in which a symbol was split two for one that many sessions ago."""
    prices = market().prices
    column = prices.columns[symbol]
    close, ratio, dividend = prices.close.copy(), prices.split_ratio.copy(), prices.dividend.copy()
    close[-when:, column] /= 2
    ratio[-when, column] *= 2
    dividend[len(dividend) - when + 1 :, column] /= 2
    changed = replace(prices, close=close, split_ratio=ratio, dividend=dividend)
    return replace(market(), prices=changed)
