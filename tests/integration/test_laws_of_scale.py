"""What holds of all engines together, whatever the numbers: signs, cash, scale, lots, splits."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from common.events.onboarding import Book, BookPosition
from risk_engine.domain import Market
from risk_engine.engine.chunk import Calculated, calculate
from risk_engine.engine.results import unpack
from risk_engine.schemas.base import plain
from tests.support.odd_books import account, option, private, stored
from tests.support.risk_engine import position
from tests.support.simulated import simulated_market

SHARES = (position("AAPL", 60), position("XOM", -40), position("TLT", 100), position("SPY", 15))
OPTIONS = (option("SPY", 650, "P", 2), option("AAPL", 250, "C", -3))
BOOK = account(*SHARES, *OPTIONS, private("A fund", 20_000, "HEDGE_FUND"), equity=150_000)
LINEAR = account(*SHARES, equity=150_000)

ODD = (
    *("greeks.totals.dollar_delta", "greeks.totals.dollar_gamma", "greeks.totals.vega"),
    *("greeks.totals.theta", "exposure.delta_adjusted.net", "exposure.beta_adjusted_net"),
    *("factors.factors.*.exposure_dollar", "factors.market_beta.exposure_dollar"),
    *("factors.interest_rates.dollar_duration", "valuation.totals.net_market_value"),
)
"""Numbers that change their sign with all quantities."""
EVEN = (
    *("exposure.delta_adjusted.gross", "exposure.concentration.herfindahl"),
    *("factors.risk.volatility_dollar", "volatility.holdings.windows.*.dollars_per_session"),
    *("correlation.mean_correlation", "correlation.risk.diversification_ratio"),
)
"""Numbers that do not."""
DOLLARS = (
    *ODD,
    *("exposure.delta_adjusted.gross", "factors.risk.volatility_dollar"),
    *("volatility.holdings.windows.*.dollars_per_session", "correlation.risk.dollars"),
    *("market_risk.measures.value_at_risk", "market_risk.measures.expected_shortfall"),
    *("market_risk.components.positions.*.value_at_risk", "stress.scenarios.*.direct"),
    *("stress.scenarios.*.correlated", "stress.scenarios.*.by_cause"),
)
"""Amounts of risk, whatever else the account has."""
SHARES_OF_NAV = (
    *("exposure.leverage", "exposure.delta_adjusted.net_share", "factors.market_beta.beta"),
    *("factors.risk.volatility", "volatility.holdings.forecast.volatility"),
    *("stress.scenarios.*.correlated_percentage", "stress.scenarios.*.probability"),
)


@pytest.fixture(scope="module")
def market() -> Market:
    symbols = {one.symbol for one in BOOK.positions or ()}
    return simulated_market(sorted(symbols))


@pytest.fixture(scope="module")
def whole(market) -> dict[str, Any]:
    return found(BOOK, market)


def found(book: Book, market: Market) -> dict[str, Any]:
    (answer,) = calculate([stored(book)], market)
    assert isinstance(answer, Calculated)
    assert not answer.failed
    return {engine: plain(unpack(one.payload)) for engine, one in answer.results.items()}


def at(tree: Any, path: str) -> list[float]:
    """All numbers at a path; `*` stands for every row."""
    return list(_walk(tree, path.split(".")))


def _walk(tree: Any, steps: list[str]) -> Iterator[float]:
    if isinstance(tree, list) and (not steps or steps[0] == "*"):
        for row in tree:
            yield from _walk(row, steps[1:] if steps else steps)
    elif isinstance(tree, float | int):
        yield float(tree)
    elif steps and tree is not None:
        yield from _walk(tree[steps[0]], steps[1:])


def changed(book: Book, change) -> Book:
    positions = tuple(change(one) for one in book.positions or ())
    return book.model_copy(update={"positions": positions})


def alike(first: dict[str, Any], second: dict[str, Any], paths, times: float = 1.0) -> None:
    for path in paths:
        expected = [times * value for value in at(first, path)]
        assert expected, path
        scale = max(abs(value) for value in expected)
        assert at(second, path) == pytest.approx(expected, rel=1e-6, abs=1e-7 * scale), path


def flipped(one: BookPosition) -> BookPosition:
    turned = {"LONG": "SHORT", "SHORT": "LONG", "LC": "SC", "SC": "LC", "LP": "SP", "SP": "LP"}
    return one.model_copy(
        update={"quantity": -one.quantity, "position_type": turned[one.position_type]}
    )


def test_turning_every_position_turns_what_is_linear_and_nothing_else(market, whole):
    turned = found(changed(BOOK, flipped), market)
    alike(whole, turned, ODD, times=-1.0)
    alike(whole, turned, EVEN)


def test_cash_changes_no_amount_of_risk(market, whole):
    richer = BOOK.model_copy(update={"equity_balance": BOOK.equity_balance + 100_000})
    alike(whole, found(richer, market), DOLLARS)


def test_twice_the_account_has_twice_the_risk_and_the_same_shares(market, whole):
    doubled = changed(
        BOOK.model_copy(update={"equity_balance": 2 * BOOK.equity_balance}),
        lambda one: one.model_copy(update={"quantity": 2 * one.quantity}),
    )
    twice = found(doubled, market)
    alike(whole, twice, DOLLARS, times=2.0)
    alike(whole, twice, SHARES_OF_NAV)


def test_a_lot_in_two_is_one_lot(market, whole):
    positions = list(BOOK.positions or ())
    halves = [
        positions[0].model_copy(update={"position_id": uuid4(), "quantity": Decimal(part)})
        for part in (25, 35)
    ]
    parted = BOOK.model_copy(update={"positions": (*halves, *positions[1:])})
    alike(
        whole,
        found(parted, market),
        [path for path in (*DOLLARS, *SHARES_OF_NAV) if "components" not in path],
    )


def test_a_split_changes_nothing(market):
    prices, column = market.prices, market.prices.columns["AAPL"]
    tables = {
        name: table.copy()
        for name in ("open", "high", "low", "close")
        if (table := getattr(prices, name)) is not None
    }
    for table in tables.values():
        table[-3:, column] /= 2
    split_ratio = prices.split_ratio.copy()
    split_ratio[-3, column] = 2.0
    volume = None if prices.volume is None else prices.volume.copy()
    if volume is not None:
        volume[-3:, column] *= 2
    split = replace(prices, split_ratio=split_ratio, volume=volume, **tables)
    alike(
        found(LINEAR, market),
        found(LINEAR, replace(market, prices=split)),
        [*(path for path in DOLLARS if "gamma" not in path), *SHARES_OF_NAV],
    )


def test_a_position_of_nothing_changes_nothing(market, whole):
    nothing = position("SPY", 1).model_copy(update={"quantity": Decimal(0)})
    more = BOOK.model_copy(update={"positions": (*(BOOK.positions or ()), nothing)})
    paths = [path for path in (*DOLLARS, *SHARES_OF_NAV) if "components" not in path]
    alike(whole, found(more, market), paths)
    assert np.isfinite(at(whole, "valuation.totals.net_asset_value")).all()
