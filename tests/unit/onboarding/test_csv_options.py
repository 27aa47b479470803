"""An option row: its columns, its OCC symbol, and what they say of each other."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from onboarding.domain.occ import format_occ, parse_occ
from onboarding.domain.positions import InvestmentClass, OptionTerms, OptionType, PositionType
from tests.unit.onboarding.upload import call, codes, line, position, row_faults

OCC = "SPY291221C00450000"
TERMS = OptionTerms("SPY", date(2029, 12, 21), OptionType.CALL, Decimal(450))


def terms_of(option):
    return (option.underlying_symbol, option.expiration_date, option.strike_price)


@pytest.mark.parametrize("stated", ["", "OPTIONS"])
def test_an_occ_symbol_alone_is_an_option(stated):
    option = position(*line(OCC.lower(), "-2", "5.50", investment_class=stated))

    assert option.investment_class is InvestmentClass.OPTIONS
    assert terms_of(option) == ("SPY", date(2029, 12, 21), Decimal(450))
    assert option.position_type is PositionType.SC
    assert (option.investment_subtype, option.multiplier) == ("CALL", 100)


def test_option_columns_alone_are_an_option():
    option = position(*call("MY_CALL", investment_class="", underlying_symbol="spy"))

    assert option.investment_class is InvestmentClass.OPTIONS
    assert terms_of(option) == ("SPY", date(2029, 12, 21), Decimal(450))


def test_columns_that_agree_with_the_occ_symbol_are_no_fault():
    assert position(*call(OCC, strike_price="450.00")).symbol == OCC


@pytest.mark.parametrize(
    ("quantity", "right", "expected"),
    [
        ("1", "call", PositionType.LC),
        ("1", "PUT", PositionType.LP),
        ("-1", "CALL", PositionType.SC),
        ("-1", "put", PositionType.SP),
    ],
)
def test_sign_and_right_make_the_position_type(quantity, right, expected):
    assert position(*call(quantity=quantity, option_type=right)).position_type is expected


def test_an_option_column_without_class_makes_all_four_required():
    found = row_faults(*line(strike_price="450"))

    assert [(fault.code.name, fault.field) for fault in found] == [
        ("ERR_POS_019", "Underlying Symbol"),
        ("ERR_POS_021", "Expiration Date"),
        ("ERR_POS_022", "Option Type"),
    ]


def test_the_class_options_without_columns_makes_all_four_required():
    assert codes(row_faults(*line(investment_class="OPTIONS"))) == [
        "ERR_POS_019",
        "ERR_POS_020",
        "ERR_POS_021",
        "ERR_POS_022",
    ]


def test_a_subtype_stands_in_for_a_blank_option_type():
    option = position(*call(option_type="", investment_subtype="PUT"))

    assert option.position_type is PositionType.LP


@pytest.mark.parametrize("stated", ["", "OPTIONS"])
@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("strike_price", "foo", "ERR_POS_020"),
        ("strike_price", "-450", "ERR_POS_020"),
        ("strike_price", "0", "ERR_POS_020"),
        ("strike_price", "450.0001", "ERR_POS_020"),
        ("strike_price", "1e14", "ERR_POS_030"),
        ("expiration_date", "12/21/2029", "ERR_POS_021"),
        ("option_type", "C", "ERR_POS_022"),
        ("underlying_symbol", "^SPX", "ERR_POS_031"),
        ("underlying_symbol", "S" * 17, "ERR_POS_031"),
    ],
)
def test_option_columns_are_checked_whatever_the_symbol_says(stated, column, value, code):
    cells = {"investment_class": stated, column: value}

    assert codes(row_faults(*call("MY_CALL", **cells))) == [code]
    assert codes(row_faults(*call(OCC, **cells))) == [code]


def test_option_columns_are_checked_in_a_row_of_unknown_class():
    found = row_faults(*call(investment_class="DERIVATIVE", strike_price="foo"))

    assert codes(found) == ["ERR_POS_016", "ERR_POS_020"]


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("underlying_symbol", "QQQ", "SPY"),
        ("strike_price", "451", "450"),
        ("expiration_date", "2029-12-20", "2029-12-21"),
        ("option_type", "PUT", "CALL"),
    ],
)
def test_a_column_that_contradicts_the_occ_symbol_is_a_fault(column, value, told):
    (found,) = row_faults(*call(OCC, **{column: value}))

    assert (found.code.name, found.value) == ("ERR_POS_025", value)
    assert found.message.endswith(f"the symbol, which says {told}.")


@pytest.mark.parametrize(
    "cells", [line(OCC, investment_subtype="PUT"), call(investment_subtype="PUT")]
)
def test_a_subtype_that_contradicts_the_option_type_is_a_fault(cells):
    (found,) = row_faults(*cells)

    assert (found.code.name, found.field) == ("ERR_POS_025", "Investment Subtype")


@pytest.mark.parametrize("stated", ["PUBLIC", "PRIVATE"])
@pytest.mark.parametrize("cells", [line(OCC), call("MY_CALL")])
def test_an_option_of_another_class_is_a_fault(stated, cells):
    cells[4] = stated

    (found,) = row_faults(*cells)

    assert (found.code.name, found.field) == ("ERR_POS_025", "Investment Class")


@pytest.mark.parametrize(
    ("symbol", "reason"),
    [
        ("SPY291340C00450000", "not a calendar day"),
        ("SPY291221C00000000", "strike is zero"),
        ("SPY1291221C00450000", "adjusted contract"),
    ],
)
@pytest.mark.parametrize("stated", ["", "OPTIONS"])
def test_an_occ_symbol_of_no_contract_is_never_taken_for_a_stock(stated, symbol, reason):
    (found,) = row_faults(*line(symbol, investment_class=stated))

    assert found.code.name == "ERR_POS_024"
    assert reason in found.message


def test_a_missing_symbol_is_a_fault_whose_hint_is_the_occ_symbol():
    (found,) = row_faults(*call(""))

    assert (found.code.name, found.hint) == (
        "ERR_POS_001",
        f"Use the contract's OCC symbol, {OCC}.",
    )


# Expiry


@pytest.mark.parametrize("cells", [line("SPY260114C00450000"), call(expiration_date="2026-01-14")])
def test_an_open_position_in_an_expired_contract_is_a_fault(cells):
    (found,) = row_faults(*cells)

    assert (found.code.name, found.field) == ("ERR_POS_026", "Expiration Date")
    assert "exit date and the exit price" in found.hint


def test_a_contract_is_good_on_its_last_day():
    assert position(*call(expiration_date="2026-01-15")).expiration_date == date(2026, 1, 15)


def test_an_expired_contract_may_have_been_closed_even_at_nothing():
    closed = {"expiration_date": "2025-01-17", "exit_date": "2025-01-17"}

    assert position(*call(**closed, exit_price="1.25")).exit_price == Decimal("1.25")
    assert str(position(*call(**closed, exit_price="-0.00")).exit_price) == "0"
    assert codes(row_faults(*call(**closed, exit_price="-1"))) == ["ERR_POS_010"]


def test_a_contract_that_expired_before_its_entry_is_a_fault():
    (found,) = row_faults(
        *call(expiration_date="2024-01-12", exit_date="2024-01-16", exit_price="1")
    )

    assert found.code.name == "ERR_POS_027"


# OCC symbols


@pytest.mark.parametrize(
    ("symbol", "terms"),
    [
        (OCC, TERMS),
        (
            "F291221P00012500",
            OptionTerms("F", TERMS.expiration_date, OptionType.PUT, Decimal("12.5")),
        ),
        (
            "GOOGLX291221C99999999",
            replace(TERMS, underlying_symbol="GOOGLX", strike_price=Decimal("99999.999")),
        ),
    ],
)
def test_an_occ_symbol_is_written_and_read_alike(symbol, terms):
    assert parse_occ(symbol) == terms
    assert format_occ(terms) == symbol


@pytest.mark.parametrize(
    "symbol", ["SPY", "SPY_CALL_450", "SPY291221X00450000", "SPY291221C0450000"]
)
def test_another_symbol_is_no_occ_symbol(symbol):
    assert parse_occ(symbol) is None


@pytest.mark.parametrize(
    ("root", "underlying", "notations"),
    [
        ("SPXW", "SPX", ["SPX", "SPXW"]),
        ("BRKB", "BRK-B", ["BRK-B", "BRK.B", "BRKB"]),
    ],
)
def test_a_root_that_is_not_its_underlyings_ticker_finds_it(root, underlying, notations):
    symbol = f"{root}291221C00450000"

    assert position(*line(symbol)).underlying_symbol == underlying
    for notation in notations:
        assert position(*call(symbol, underlying_symbol=notation)).underlying_symbol == notation


@pytest.mark.parametrize(
    "unfit",
    [
        replace(TERMS, underlying_symbol="LONGNAME"),
        replace(TERMS, strike_price=Decimal(100_000)),
        replace(TERMS, expiration_date=date(2100, 1, 15)),
    ],
)
def test_terms_that_do_not_fit_have_no_occ_symbol(unfit):
    assert format_occ(unfit) is None
