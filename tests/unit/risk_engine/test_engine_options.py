"""Options are priced, carried, settled; net asset value does not jump when prices come and go."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from risk_engine.domain import History, Market, Rates, Snapshots
from risk_engine.engine.listing import contract_of, contracts_of
from risk_engine.engine.options import Reason, price_contracts
from risk_engine.engine.statement import valuations
from risk_engine.engine.underlyings import underlyings_of
from risk_engine.engine.valuation import value
from tests.unit.risk_engine.books import (
    AS_OF,
    NAN,
    OPENING,
    SESSIONS,
    book,
    market,
    option,
    position,
)

SPY = (690.0, 695.0, 698.0, 700.0, 705.0, 710.0, 705.0, 715.0)
CALL = option(1, "2", "4.50")  # 2 contracts of 100, bought at 900 in all
AFTER = dict(zip(("6", "7", "8", "9"), SESSIONS[4:], strict=True))


def contracts(books, prices, price, source):
    """Return the contracts of some books, all at one price."""
    everything = Market(prices, prices, Snapshots.silent(), {}, Rates.unknown(), None)
    underlyings = underlyings_of(books, everything)
    listing = contracts_of(books, underlyings, everything)
    found = price_contracts(listing, underlyings, everything)
    count = len(found)
    reason: Reason | None = None if price == price else "no_underlying_price"
    return replace(
        found,
        price=np.full(count, price),
        price_source=(source,) * count,
        reason=(reason,) * count,
    )


def valued(*positions, price=NAN, source="quote", as_of=AS_OF, stored=None, prices=None, **more):
    """Value a book with its options at this price and what is stored of theirs."""
    a_book = book(positions, **more)
    panel = prices or market({"SPY": SPY})
    held = [contract_of(position) for position in positions]
    symbols = [contract.symbol for contract in held if contract is not None]
    sessions = {session: dict.fromkeys(symbols, mark) for session, mark in (stored or {}).items()}
    history = History((), np.empty(0), np.empty(0), sessions)
    found = value(
        [a_book],
        panel,
        as_of,
        {},
        contracts=contracts([a_book], panel, price, source),
        histories=[history],
    )
    (answer,) = valuations(found, [a_book], panel, as_of)
    return answer


def codes(valuation):
    return [note.code for note in valuation.notes]


@pytest.mark.parametrize(("source", "estimated"), [("quote", False), ("model", True)])
def test_an_option_is_worth_its_quote_or_what_the_model_says(source, estimated):
    found = valued(CALL, price=6.0, source=source, stored={OPENING: 5.0})
    (only,) = found.positions
    assert (only.market_value, only.price_source, only.estimated) == (1_200.0, source, estimated)
    assert (only.unrealized_pnl, only.price_session, only.stale) == (300.0, AS_OF, False)
    # Opened with 1,000 in the option and 99,000 of cash.
    assert (found.totals.cash, found.totals.net_asset_value) == (99_000.0, 100_200.0)
    assert (found.status, found.coverage.modelled_positions) == ("ok", int(estimated))
    assert found.coverage.modelled_share == (1.0 if estimated else 0.0)
    assert codes(found) == (["modelled_prices"] if estimated else [])


def test_the_price_at_the_opening_is_remembered():
    at_opening = valued(CALL, price=5.0, as_of=OPENING)
    assert (at_opening.totals.net_asset_value, at_opening.totals.opening_cash) == (1e5, 99_000.0)
    later = valued(CALL, price=6.0, stored={OPENING: 5.0, AFTER["8"]: 5.5})
    assert later.totals.opening_cash == 99_000.0
    assert later.totals.change_since_opening == 200.0
    assert (later.daily.pnl, later.positions[0].daily_pnl) == (100.0, 100.0)
    assert later.daily.daily_return == pytest.approx(100 / 100_100)


def test_a_first_price_after_the_opening_is_no_gain():
    # Carried at 900 until the 8th; the account's stated value is what the option was worth too.
    before = valued(CALL, as_of=AFTER["7"])
    first = valued(CALL, price=6.0, as_of=AFTER["8"])
    then = valued(CALL, price=7.0, stored={AFTER["8"]: 6.0})
    values = [one.totals.net_asset_value for one in (before, first, then)]
    assert values == [100_000.0, 100_000.0, 100_200.0]
    assert [one.daily.pnl for one in (before, first, then)] == [0.0, 0.0, 200.0]
    assert (before.status, first.status) == ("insufficient", "ok")


def test_an_option_whose_price_goes_is_carried_at_the_last_one():
    found = valued(CALL, position(2, "SPY", "1", "600"), stored={OPENING: 5.0, AFTER["6"]: 8.0})
    carried = found.positions[1]
    assert (carried.market_value, carried.carried_value) == (None, 1_600.0)
    assert (carried.carried_at, carried.price_source) == ("last_price", "carried")
    assert (carried.reason, carried.price_session) == ("no_underlying_price", AFTER["6"])
    assert found.totals.net_asset_value == 100_000 + 200 * 3 + 15
    assert (found.status, codes(found)) == ("partial", ["carried_at_last_price"])


def test_an_option_bought_since_the_opening_starts_at_what_was_paid():
    bought = replace(CALL, entry_date=AFTER["7"])
    found = valued(bought, price=6.0, as_of=AFTER["7"])
    assert (found.totals.cash, found.daily.pnl) == (100_000 - 900, 300.0)
    assert found.totals.net_asset_value == 100_300.0


@pytest.mark.parametrize(
    ("strike", "right", "paid"),
    [("700", "LC", 10.0), ("715", "LC", 0.0), ("715", "LP", 5.0), ("700", "LP", 0.0)],
)
@pytest.mark.parametrize("quantity", ["2", "-2"])
def test_an_option_that_expired_is_settled_at_intrinsic_value(strike, right, paid, quantity):
    side = right if quantity == "2" else right.replace("L", "S")
    expired = replace(
        option(1, quantity, "4.50", expiration=AFTER["7"]),
        strike_price=Decimal(strike),
        position_type=side,
    )
    units = 100 * int(quantity)
    # SPY closed at 710; what it does afterwards, and old prices, are nothing to the option.
    for as_of in (AFTER["7"], AS_OF):
        found = valued(expired, price=99.0, as_of=as_of, stored={AFTER["6"]: 3.0})
        (only,) = found.positions
        assert (only.state, only.reason, only.market_value) == ("closed", "expired", None)
        assert only.realized_pnl == units * (paid - 4.5)
        # At the opening it counts at the first price it had.
        assert found.totals.net_asset_value == 100_000 + units * (paid - 3.0)
        assert (found.status, codes(found)) == ("ok", ["options_settled"])


def test_an_option_expires_once():
    expired = option(1, "2", "4.50", expiration=AFTER["7"])
    on_the_day = valued(expired, as_of=AFTER["7"], stored={OPENING: 5.0, AFTER["6"]: 8.0})
    assert (on_the_day.daily.pnl, on_the_day.daily.realized_pnl) == (200 * 2.0, 200 * 5.5)
    later = valued(expired, stored={OPENING: 5.0, AFTER["6"]: 8.0})
    assert (later.daily.pnl, later.totals.net_asset_value) == (0.0, 100_000 + 200 * 5)


def test_an_option_sold_before_it_expired_was_sold():
    sold = replace(
        option(1, "2", "4.50", expiration=AFTER["8"]),
        exit_date=AFTER["7"],
        exit_price=Decimal("6.50"),
    )
    (only,) = valued(sold, stored={OPENING: 5.0}).positions
    assert (only.state, only.reason, only.realized_pnl) == ("closed", None, 400.0)


def test_an_option_whose_settlement_is_not_known_is_carried_at_cost_and_not_at_its_last_price():
    expired = option(1, "2", "4.50", expiration=AFTER["7"])
    found = valued(expired, stored={OPENING: 4.5, AFTER["6"]: 8.0}, prices=market({}))
    (only,) = found.positions
    assert (only.state, only.reason, only.carried_value) == ("open", "expired", 900.0)
    assert only.carried_at == "entry_price"


def test_after_a_split_contracts_are_more_and_each_is_worth_less():
    # SPY splits 2:1 on the 8th; two contracts at 8 are four at 4, or at what they are priced now.
    prices = market({"SPY": (*SPY[:6], 352.5, 357.5)}, splits={("SPY", AFTER["8"]): 2.0})
    stored = {OPENING: 5.0, AFTER["7"]: 8.0}
    (carried,) = valued(CALL, stored=stored, prices=prices).positions
    assert (carried.quantity, carried.carried_value) == (4.0, 1_600.0)
    assert carried.carried_at == "last_price"
    found = valued(CALL, price=4.5, stored=stored, prices=prices)
    assert (found.positions[0].market_value, found.totals.net_asset_value) == (1_800.0, 100_800.0)
    expired = replace(CALL, expiration_date=AFTER["8"], strike_price=Decimal(690))
    settled = valued(expired, stored={OPENING: 5.0}, prices=prices)
    assert settled.positions[0].realized_pnl == 400 * (352.5 - 345) - 900


def test_an_option_without_any_price_until_it_expired_counts_at_the_opening_at_its_cost():
    found = valued(option(1, "2", "4.50", expiration=AFTER["7"]), price=99.0, as_of=AFTER["7"])
    assert found.totals.net_asset_value == 100_000 + 200 * 5.5
    assert (found.daily.pnl, found.daily.repricing, found.status) == (0.0, 1_100.0, "partial")
    assert codes(found) == ["options_settled", "valuation_basis_changed", "repriced"]


def test_a_price_of_nothing_is_a_price():
    found = valued(CALL, price=0.0, stored={OPENING: 5.0})
    assert (found.positions[0].market_value, found.totals.net_asset_value) == (0.0, 99_000.0)
    assert found.status == "ok"


def test_what_was_stored_after_the_date_is_not_seen():
    found = valued(CALL, as_of=date(2026, 1, 6), stored={OPENING: 5.0, AFTER["8"]: 50.0})
    assert found.positions[0].carried_value == 1_000.0
