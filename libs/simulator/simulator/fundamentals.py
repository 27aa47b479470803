"""What vendors say beside prices: size, yield, beta, and what an index is made of."""

from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np

from common import calendar
from simulator.market import Market
from simulator.truth import Truth
from simulator.universe import Security, load_universe
from simulator.volatility_index import VOLATILITY_INDEX

STOCKS_IN_INDEX = 500
"""Four fifths of the market's worth, and a tenth of the work."""


@dataclass(frozen=True, slots=True)
class Fundamentals:
    """One security as of a session's close."""

    market_cap: float | None
    """US dollars; of a fund its assets. None for an index, and while it is not listed (while it is
    halted, there is one)."""
    dividend_yield: float | None
    """Per year, a decimal; None for an index."""
    beta: float | None
    """To the market, true rather than estimated; None for the volatility index, which no factor
    moves but all of them do."""


def fundamentals(market: Market, symbols: Sequence[str], session: date) -> dict[str, Fundamentals]:
    """Return what is said of the listed ones among symbols, as of a session's close."""
    universe = load_universe()
    listed = [symbol for symbol in dict.fromkeys(symbols) if symbol in universe.securities]
    if not listed:
        return {}
    betas = Truth(market).beta(listed)
    growth = market.growth(listed, session)
    return {
        symbol: Fundamentals(
            market_cap=_market_cap(universe.securities[symbol].market_cap, float(grown)),
            dividend_yield=_dividend_yield(universe.securities[symbol]),
            beta=None if symbol == VOLATILITY_INDEX else round(float(beta), 4),
        )
        for symbol, beta, grown in zip(listed, betas, growth, strict=True)
    }


def sector_weights(market: Market, as_of: date) -> tuple[date, dict[str, float]]:
    """Return the index's sector weights of the last quarter's end, and which session that was.

    By market capitalisation of its stocks, the largest of the anchor session, as far as they were
    listed then; they sum to one.
    """
    quarter_end = last_quarter_end(as_of)
    universe = load_universe()
    stocks = _in_index()
    caps = np.array([universe.securities[symbol].market_cap for symbol in stocks])
    caps = np.nan_to_num(caps * market.growth(stocks, quarter_end))
    weights: dict[str, float] = {}
    for symbol, cap in zip(stocks, caps, strict=True):
        sector = universe.securities[symbol].profile.sector
        weights[sector] = weights.get(sector, 0.0) + float(cap)
    total = sum(weights.values())
    return quarter_end, {sector: weights[sector] / total for sector in sorted(weights)}


@cache
def _in_index() -> list[str]:
    universe = load_universe().securities
    stocks = [symbol for symbol, one in universe.items() if one.profile.kind == "stock"]
    largest = sorted(stocks, key=lambda symbol: (-universe[symbol].market_cap, symbol))
    return largest[:STOCKS_IN_INDEX]


def last_quarter_end(as_of: date) -> date:
    """Return the last session of the last quarter that had ended by a day, itself included."""
    year, month = as_of.year, (as_of.month - 1) // 3 * 3 + 3
    this = _last_session_of(year, month)
    if this <= as_of:
        return this
    return _last_session_of(year - 1, 12) if month == 3 else _last_session_of(year, month - 3)


def _last_session_of(year: int, month: int) -> date:
    last_day = date(year, month, monthrange(year, month)[1])
    return calendar.sessions(date(year, month, 1), last_day)[-1]


def _market_cap(at_anchor: float, growth: float) -> float | None:
    return round(at_anchor * growth) if at_anchor and np.isfinite(growth) else None


def _dividend_yield(security: Security) -> float | None:
    return None if security.profile.kind == "index" else round(security.dividend_yield, 6)
