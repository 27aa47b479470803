"""What a portfolio must be, and which ids it and its positions get."""

import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import NAMESPACE_DNS, UUID, uuid5

import pytest

from onboarding.domain.portfolio import (
    PortfolioDetails,
    check_portfolio,
    portfolio_id,
    position_ids,
)
from tests.unit.onboarding.upload import call, codes, form_faults, line, positions

USER = UUID("8f6f5b0e-3b0e-4c39-9f2d-1f6a4f0f7c11")
PORTFOLIO = UUID("1d8ddd95-3b45-0ac5-35bf-cf81af94a5fe")


def named(name):
    return uuid5(NAMESPACE_DNS, f"{PORTFOLIO}:{name}")


def test_a_portfolios_texts_are_trimmed_and_a_blank_description_is_none():
    balance = Decimal("485000.00")

    assert check_portfolio("  Mine ", " a\nb ", balance) == PortfolioDetails(
        "Mine", "a\nb", balance
    )
    assert check_portfolio("Mine", "  ", balance) == PortfolioDetails("Mine", None, balance)
    assert check_portfolio("Mine", None, balance) == PortfolioDetails("Mine", None, balance)


def test_the_limits_themselves_are_allowed():
    details = check_portfolio("n" * 255, "d" * 1000, Decimal("1e12"))

    assert isinstance(details, PortfolioDetails)


@pytest.mark.parametrize("balance", ["0.01", "1.10000", "1000000000000", "5E+3"])
def test_a_balance_counts_the_decimals_it_needs(balance):
    assert isinstance(check_portfolio("Mine", None, Decimal(balance)), PortfolioDetails)


def test_every_fault_of_a_form_is_listed():
    found = form_faults("\t", "d\x1b" * 501, "-0.001")

    assert codes(found) == [
        "ERR_PORT_002",
        "ERR_PORT_009",
        "ERR_PORT_012",
        "ERR_PORT_005",
        "ERR_PORT_010",
    ]
    assert [fault.field for fault in found] == [
        "portfolio_name",
        "description",
        "description",
        "equity_balance",
        "equity_balance",
    ]


@pytest.mark.parametrize("balance", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_a_balance_that_is_not_finite_is_refused(balance):
    assert codes(form_faults("Mine", None, balance)) == ["ERR_PORT_011"]


def test_the_same_user_and_name_make_the_same_portfolio_id():
    assert portfolio_id(USER, " Mine ", deterministic=True) == uuid5(NAMESPACE_DNS, f"{USER}:Mine")


def test_ids_are_random_on_demand():
    lots = positions(line(), line("MSFT"))
    ids = position_ids(PORTFOLIO, lots, deterministic=False)

    assert len({*ids, *position_ids(PORTFOLIO, lots, deterministic=False)}) == 4
    assert {id_.version for id_ in ids} == {4}
    assert portfolio_id(USER, "Mine", deterministic=False).version == 4


def test_a_position_has_the_originals_id():
    lots = positions(line("aapl"), line("SHOP", "-25", entered="2024-2-1"))

    assert position_ids(PORTFOLIO, lots, deterministic=True) == (
        named("AAPL:2024-01-15"),
        named("SHOP:2024-02-01"),
    )


def test_lots_that_share_symbol_and_day_have_ids_that_name_what_differs():
    lots = positions(
        call("AAPL", "-1", underlying_symbol="AAPL"),
        line(quantity="-100"),
        line(),
        call("AAPL", underlying_symbol="AAPL", strike_price="452.50"),
    )

    assert position_ids(PORTFOLIO, lots, deterministic=True) == (
        named("AAPL:2024-01-15:SC:AAPL:2029-12-21:450"),
        named("AAPL:2024-01-15:SHORT"),
        named("AAPL:2024-01-15"),
        named("AAPL:2024-01-15:LC:AAPL:2029-12-21:452.5"),
    )


def test_the_order_of_the_rows_does_not_change_an_id():
    lots = list(
        positions(
            line(),
            line(quantity="-1"),
            line("MSFT"),
            call("SPY"),
            call("SPY", strike_price="460"),
            call("SPY", option_type="PUT"),
            call("SPY", expiration_date="2030-12-20"),
        )
    )
    ids = dict(zip(lots, position_ids(PORTFOLIO, lots, deterministic=True), strict=True))

    random.Random(7).shuffle(lots)

    assert len(set(ids.values())) == len(lots)
    assert position_ids(PORTFOLIO, lots, deterministic=True) == tuple(ids[lot] for lot in lots)


def test_a_lot_of_another_day_is_another_position():
    (lot,) = positions(line())
    other = replace(lot, entry_date=date(2024, 1, 16))

    assert position_ids(PORTFOLIO, [other, lot], deterministic=True) == (
        named("AAPL:2024-01-16"),
        named("AAPL:2024-01-15"),
    )
