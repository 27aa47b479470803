"""What must hold for any book: valuation is linear, and blind to order, splits and cash."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.domain import Valuation
from risk_engine.engine import to_payload, value_books
from risk_engine.engine.results import pack, unpack
from risk_engine.schemas.base import plain
from risk_engine.schemas.valuation import ValuationOut
from tests.unit.risk_engine.books import (
    AS_OF,
    NAN,
    OPENING,
    SESSIONS,
    book,
    market,
    option,
    position,
    private,
)

MARKET_VALUES = ("net_market_value", "unrealized_pnl", "dividend_income", "realized_pnl")
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
quantities = st.integers(-5_000, 5_000).filter(bool).map(str)
prices_paid = st.decimals(Decimal("0.01"), Decimal(900), places=2).map(str)
closes = st.one_of(st.floats(0.5, 900.0), st.just(NAN))
days = st.sampled_from(SESSIONS)


@st.composite
def positions(draw, number=0):
    kind = draw(st.sampled_from(["public", "public", "public", "option", "private", "closed"]))
    quantity, paid = draw(quantities), draw(prices_paid)
    if kind == "option":
        return option(number, quantity, paid)
    if kind == "private":
        return private(number, "STARTUP", paid)
    symbol = draw(st.sampled_from((*SYMBOLS, "UNKNOWN")))
    entry = draw(st.one_of(st.just(date(2024, 3, 1)), days))
    if kind == "closed":
        leaving = draw(st.sampled_from([day for day in SESSIONS if day >= entry]))
        return position(
            number,
            symbol,
            quantity,
            paid,
            entry_date=entry,
            exit_date=leaving,
            exit_price=Decimal(draw(prices_paid)),
        )
    return position(number, symbol, quantity, paid, entry_date=entry)


@st.composite
def books(draw):
    count = draw(st.integers(0, 8))
    equity = draw(st.decimals(-100_000, 10_000_000, places=2))
    return book([draw(positions(number)) for number in range(count)], equity)


@st.composite
def markets(draw):
    rows = st.lists(closes, min_size=len(SESSIONS), max_size=len(SESSIONS))
    cells = st.tuples(st.sampled_from(SYMBOLS), days)
    return market(
        {symbol: draw(rows) for symbol in SYMBOLS},
        splits=draw(st.dictionaries(cells, st.sampled_from([2.0, 1.5, 0.1]), max_size=3)),
        dividends=draw(st.dictionaries(cells, st.floats(0.01, 5.0), max_size=3)),
    )


def valued(a_book, prices, as_of=AS_OF) -> Valuation:
    (answer,) = value_books([a_book], prices, as_of)
    assert isinstance(answer, Valuation), answer
    return answer


def close_to(expected):
    return None if expected is None else pytest.approx(expected, rel=1e-9, abs=1e-5)


@settings(deadline=None, max_examples=40)
@given(books(), markets())
def test_on_the_opening_session_nav_is_the_equity_balance(a_book, prices):
    totals = to_payload(valued(a_book, prices, OPENING))["totals"]
    assert totals["net_asset_value"] == float(a_book.equity_balance)


@settings(deadline=None, max_examples=40)
@given(books(), markets(), days.filter(lambda day: day >= OPENING))
def test_nav_is_cash_and_market_and_carried_value(a_book, prices, as_of):
    valuation = valued(a_book, prices, as_of)
    totals = valuation.totals
    parts = totals.cash + (totals.net_market_value or 0.0) + totals.carried_value
    assert totals.net_asset_value == close_to(parts)
    if totals.unrealized_pnl is not None and totals.net_market_value is not None:
        priced = [one for one in valuation.positions if one.market_value is not None]
        cost_of_priced = sum(one.cost_basis or 0.0 for one in priced)
        assert totals.unrealized_pnl == close_to(totals.net_market_value - cost_of_priced)


@settings(deadline=None, max_examples=40)
@given(books(), markets())
def test_flipping_every_quantity_flips_market_values_and_profits(a_book, prices):
    flipped = replace(
        a_book,
        positions=tuple(replace(one, quantity=-one.quantity) for one in a_book.positions),
    )
    found = valued(a_book, prices), valued(flipped, prices)
    there, back = (one.totals for one in found)
    gained, lost = (one.daily.pnl for one in found)
    assert (gained or 0.0) == close_to(-(lost or 0.0))
    for name in (*MARKET_VALUES, "carried_value", "cost_basis", "change_since_opening"):
        amount = getattr(there, name)
        assert getattr(back, name) == close_to(None if amount is None else -amount)
    assert back.gross_market_value == close_to(there.gross_market_value)


@settings(deadline=None, max_examples=40)
@given(st.data(), books(), markets())
def test_the_order_of_positions_does_not_change_a_byte(data, a_book, prices):
    shuffled = replace(a_book, positions=tuple(data.draw(st.permutations(a_book.positions))))
    written = [pack(to_payload(valued(one, prices))) for one in (a_book, shuffled)]
    assert written[0] == written[1]


@settings(deadline=None, max_examples=40)
@given(books(), markets())
def test_a_book_is_worth_what_its_positions_are_worth_one_by_one(a_book, prices):
    together = valued(a_book, prices).totals
    alone = [valued(replace(a_book, positions=(one,)), prices).totals for one in a_book.positions]
    for name in (*MARKET_VALUES, "carried_value", "cost_basis", "change_since_opening"):
        parts = sum(getattr(one, name) or 0.0 for one in alone)
        assert (getattr(together, name) or 0.0) == close_to(parts)


@settings(deadline=None, max_examples=40)
@given(books(), markets(), st.sampled_from([2, 3, 10]))
def test_in_a_currency_unit_a_fraction_as_large_every_amount_is_that_many_times_larger(
    a_book, prices, scale
):
    def dearer(price):
        return None if price is None else price * scale

    scaled_book = replace(
        a_book,
        equity_balance=a_book.equity_balance * scale,
        positions=tuple(
            replace(one, entry_price=dearer(one.entry_price), exit_price=dearer(one.exit_price))
            for one in a_book.positions
        ),
    )
    scaled_prices = replace(
        prices,
        close=np.where(prices.close * scale > 0, prices.close * scale, np.nan),
        dividend=prices.dividend * scale,
    )
    small, large = valued(a_book, prices), valued(scaled_book, scaled_prices)
    for name in (*MARKET_VALUES, "cash", "net_asset_value", "total_pnl"):
        amount = getattr(small.totals, name)
        assert getattr(large.totals, name) == close_to(None if amount is None else amount * scale)


@settings(deadline=None, max_examples=40)
@given(books(), markets(), days.filter(lambda day: day > OPENING))
def test_a_two_for_one_split_leaves_nav_and_profits_unchanged(a_book, prices, split_on):
    # Only of positions held before: a purchase or sale after it would be made at another price.
    held = [one for one in a_book.positions if one.entry_date <= OPENING and one.exit_date is None]
    a_book = replace(a_book, positions=tuple(held))
    row = SESSIONS.index(split_on)
    halved, ratio, dividend = prices.close.copy(), prices.split_ratio.copy(), prices.dividend.copy()
    halved[row:] /= 2
    ratio[row] *= 2
    dividend[row + 1 :] /= 2
    after = replace(prices, close=halved, split_ratio=ratio, dividend=dividend)
    plain, split = valued(a_book, prices), valued(a_book, after)
    assert split.daily.pnl == close_to(plain.daily.pnl)
    for name in (*MARKET_VALUES, "net_asset_value", "cash", "opening_cash", "total_pnl"):
        assert getattr(split.totals, name) == close_to(getattr(plain.totals, name))
    assert [one.market_value for one in split.positions] == [
        close_to(one.market_value) for one in plain.positions
    ]


@settings(deadline=None, max_examples=40)
@given(books(), markets(), st.decimals(0, 1_000_000, places=2))
def test_more_cash_changes_nav_by_as_much_and_no_profit(a_book, prices, more):
    richer = replace(a_book, equity_balance=a_book.equity_balance + more)
    found = valued(a_book, prices), valued(richer, prices)
    before, after = (one.totals for one in found)
    assert found[0].daily.pnl == found[1].daily.pnl
    assert after.net_asset_value == close_to(before.net_asset_value + float(more))
    assert after.change_since_opening == close_to(before.change_since_opening)
    for name in (*MARKET_VALUES, "total_pnl", "gross_market_value"):
        assert getattr(after, name) == getattr(before, name)


@settings(deadline=None, max_examples=100)
@given(books(), markets(), days.filter(lambda day: day >= OPENING))
def test_what_is_shown_is_strict_json_and_weights_add_up_to_one(a_book, prices, as_of):
    valuation = valued(a_book, prices, as_of)
    stored = unpack(pack(to_payload(valuation)))
    written = ValuationOut.model_validate(plain(stored)).model_dump_json()
    assert "-0.0," not in written
    json.loads(written, parse_constant=pytest.fail)
    totals = valuation.totals
    weights = [one.weight for one in valuation.positions if one.weight is not None]
    if totals.net_asset_value >= 1 and valuation.coverage.open_positions:
        # Cancelling weights of a tiny NAV are compared on the scale of the largest.
        scale = max(1.0, *map(abs, weights))
        invested = 1 - totals.cash / totals.net_asset_value
        assert sum(weights) == pytest.approx(invested, abs=1e-8 * scale)
    elif totals.net_asset_value < 0:
        assert weights == []
