"""Which symbols a book needs, and how well they are priced."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from common.calendar import session_back
from common.events.marketdata import MissingSymbol, PricedItem
from marketdata.domain import (
    REFERENCE,
    Column,
    Span,
    contracts_of,
    cover,
    holding_of,
    is_ready,
    symbols_of,
)
from marketdata.domain import coverage as coverage_rule
from risk_engine.quant.panel import MAX_PRICE_AGE
from tests.support.market import FRIDAY, MONDAY, book, closed, option, private

SPAN = Span(date(2025, 1, 2), MONDAY)


def column(symbol, *, last_session=MONDAY, reason=None, published=True):
    asked_at = datetime(2026, 1, 12, tzinfo=UTC)
    return Column(symbol, 1, reason is None, reason, asked_at, SPAN, last_session, published)


def test_open_shares_and_the_underlyings_of_open_options_are_priceable():
    held = holding_of(
        book(
            [
                *("MSFT", "AAPL", "AAPL"),
                option("VIX290117C00020000", "VIX"),
                option("AAPL290119C00100000", "AAPL"),
                option("NOBODY290119C00100000", None),
                private("HOME_EQUITY"),
                closed("GME"),
            ]
        )
    )
    assert held.symbols == ("AAPL", "MSFT", "VIX")
    assert held.contracts == ("AAPL 2029-01-19 C 100", "VIX 2029-01-19 C 100")


def test_what_is_quoted_in_another_currency_is_asked_of_nobody():
    held = holding_of(
        book(
            [
                "AAPL",
                closed("SAP", on=MONDAY).model_copy(update={"currency": "EUR"}),
                option("SAP290119C00100000", "SAP", currency="EUR"),
            ]
        )
    )
    assert (held.symbols, held.contracts) == (("AAPL",), ())
    assert cover(held, {"AAPL": column("AAPL")}, MONDAY).coverage == 1.0


def test_what_was_sold_after_the_opening_session_is_priced_and_what_was_sold_by_then_is_not():
    sold = {"SAME": FRIDAY, "NEXT": date(2026, 1, 10), "LATER": MONDAY}
    held = holding_of(
        book(
            [
                *(closed(symbol, on=day) for symbol, day in sold.items()),
                option("SPY260116C00500000", "SPY", exit_date=MONDAY, exit_price=Decimal("1.25")),
            ]
        )
    )
    assert held.symbols == ("LATER", "NEXT", "SPY")
    assert held.contracts == ("SPY 2029-01-19 C 100",)


@pytest.mark.parametrize(
    ("position_type", "letter"), [("LC", "C"), ("SC", "C"), ("LP", "P"), ("SP", "P")]
)
def test_a_contract_is_that_of_its_terms_whatever_the_symbol_in_the_book(position_type, letter):
    held = option("MY_OPTION", "TEC0123", position_type=position_type)
    assert holding_of(book([held])).contracts == (f"TEC0123 2029-01-19 {letter} 100",)


def test_a_contract_is_shown_until_it_expires():
    expiring = [option(f"E{day}", "SPY", expiration_date=date(2026, 1, day)) for day in (9, 12, 13)]
    held = [holding_of(book(expiring)), holding_of(book(expiring[-1:]))]
    assert contracts_of(held, MONDAY) == ("SPY 2026-01-13 C 100",)


@pytest.mark.parametrize("strike", [None, Decimal(0), Decimal("0.00000001")])
def test_what_names_no_contract_is_asked_of_nobody(strike):
    held = option("ODD", "SPY", strike_price=strike)
    assert contracts_of([holding_of(book([held]))], MONDAY) == ()


@pytest.mark.parametrize(("age", "coverage"), [(0, 1), (3, 1), (4, 0)])
def test_a_close_prices_for_three_sessions_as_it_does_in_the_risk_engine(age, coverage):
    columns = {"A": column("A", last_session=session_back(MONDAY, age))}
    assert cover(holding_of(book(["A"])), columns, MONDAY).coverage == coverage
    assert coverage_rule.MAX_PRICE_AGE == MAX_PRICE_AGE


def test_a_book_too_large_for_its_event_has_no_known_symbols():
    assert holding_of(book(None)).symbols is None


def test_the_reference_is_in_every_panel():
    assert {"SPY", "TLT", "XLRE", "VIX"} <= REFERENCE
    assert symbols_of([holding_of(book(["AAPL", "SPY"]))]) == tuple(sorted({*REFERENCE, "AAPL"}))


def missing(symbol, reason, message):
    return MissingSymbol(symbol=symbol, reason=reason, message=message)


def test_coverage_is_the_priced_share_of_distinct_symbols_and_names_the_rest():
    held = holding_of(book(["A", "A", "B", "C", "D", "E", "F"]))
    columns = {
        "A": column("A"),
        "B": column("B", last_session=date(2026, 1, 7)),
        "C": column("C", last_session=date(2026, 1, 6)),
        "D": column("D", last_session=None),
        "E": column("E", last_session=None, reason="unknown_symbol"),
    }
    assert cover(held, columns, MONDAY) == PricedItem(
        portfolio_id=held.portfolio_id,
        revision=1,
        coverage=2 / 6,
        symbols=6,
        missing=(
            missing("C", "stale_price", "Its last price is of 2026-01-06."),
            missing("D", "no_price", "The provider has no price of it up to this session."),
            missing("E", "unknown_symbol", "The provider does not know this symbol."),
            missing("F", "not_loaded", "Its prices could not be loaded."),
        ),
    )


def test_what_a_panel_does_not_show_prices_nothing():
    held = holding_of(book(["A"]))
    item = cover(held, {"A": column("A", published=False)}, MONDAY)
    assert (item.coverage, item.missing[0].reason) == (0, "not_loaded")


@pytest.mark.parametrize("positions", [[], [private("HOME_EQUITY"), closed("GME")]])
def test_a_book_without_a_priceable_symbol_has_no_coverage_and_is_ready(positions):
    item = cover(holding_of(book(positions)), {}, MONDAY)
    assert (item.coverage, item.symbols, item.missing) == (None, 0, ())
    assert is_ready(item, threshold=0.8)


@pytest.mark.parametrize(("missing", "ready"), [(1, True), (2, False)])
def test_a_book_is_ready_from_the_threshold_on(missing, ready):
    symbols = ["A", "B", "C", "D", "E"]
    columns = {symbol: column(symbol) for symbol in symbols[missing:]}
    assert is_ready(cover(holding_of(book(symbols)), columns, MONDAY), 0.8) is ready
