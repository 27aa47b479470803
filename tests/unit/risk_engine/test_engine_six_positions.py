"""The six positions of `six_positions`, valued: every number is worked out there on paper."""

from types import SimpleNamespace

import numpy as np
import pytest

from risk_engine.domain import History
from risk_engine.engine.statement import valuations
from risk_engine.engine.valuation import value
from tests.unit.risk_engine.exposed import six_book, six_market
from tests.unit.risk_engine.six_positions import (
    AS_OF,
    CASH,
    EQUITY,
    NAV,
    OPENING,
    OPENING_CASH,
    SIX_POSITIONS,
)

BOOK, MARKET = six_book(), six_market()
LINES = {line.symbol: line for line in SIX_POSITIONS}


def contracts(prices):
    """Prices of the book's options, as the frame's table gives them."""
    rows = {(BOOK.portfolio_id, one.id): row for row, one in enumerate(BOOK.positions)}
    return SimpleNamespace(
        rows=rows,
        price=np.array([prices.get(one.symbol, np.nan) for one in BOOK.positions]),
        price_source=["quote"] * len(BOOK.positions),
        reason=[None] * len(BOOK.positions),
    )


def options(field):
    return {name: getattr(line, field) for name, line in LINES.items() if line.contract}


def valued(as_of, field, stored):
    known = [History((), np.empty(0), np.empty(0), stored)]
    prices = MARKET.prices
    found = value([BOOK], prices, as_of, {}, contracts=contracts(options(field)), histories=known)
    (answer,) = valuations(found, [BOOK], prices, as_of)
    return answer


@pytest.fixture(scope="module")
def friday():
    stored = {OPENING: {"XOM 2026-06-04 C 100": 8.0, "RUT 2026-06-04 P 1900": 60.0}}
    return valued(AS_OF, "price", stored)


def test_the_account_opens_with_what_is_left_of_its_value_in_cash():
    totals = valued(OPENING, "opening_price", {}).totals
    assert (totals.net_asset_value, totals.opening_cash) == (EQUITY, OPENING_CASH)


def test_four_sessions_later_it_is_worth(friday):
    totals = friday.totals
    assert totals.cash == CASH
    assert totals.net_asset_value == pytest.approx(NAV, abs=1e-6)
    assert totals.long_market_value == pytest.approx(83_639.35)
    assert totals.short_market_value == pytest.approx(-34_578.09)
    assert totals.gross_market_value == pytest.approx(118_217.44)
    assert totals.net_market_value == pytest.approx(49_061.26)
    assert totals.carried_value == 50_000
    assert totals.unrealized_pnl == pytest.approx(29_061.26)
    assert totals.realized_pnl == 600
    assert totals.change_since_opening == pytest.approx(5_761.26)


def test_each_position_is_worth(friday):
    found = {one.symbol: one for one in friday.positions}
    values = {name: one.market_value for name, one in found.items()}
    assert values["AAPL"] == 80_000
    assert values["XOM"] == -30_000
    assert values["XOM260604C00100000"] == pytest.approx(3_639.35)
    assert values["RUT260604P01900000"] == pytest.approx(-4_578.09)
    assert found["KO"].realized_pnl == 600
    assert found["EVERGREEN_FUND"].carried_value == 50_000
    assert [one.price_source for one in friday.positions if one.investment_class == "OPTIONS"] == [
        "quote",
        "quote",
    ]


def test_the_last_session_gained_what_the_options_did(friday):
    # Shares moved on the 6th alone; without quotes in between the options did all at once.
    assert friday.daily.pnl == pytest.approx(-360.65 + 1_421.91)
    assert friday.daily.daily_return == pytest.approx(1_061.26 / 304_700)
    assert friday.daily.previous_net_asset_value == pytest.approx(304_700)
    assert friday.daily.repricing == 0
