"""What a row must be, cell by cell, and which rows repeat one another."""

from datetime import date
from decimal import Decimal

import pytest

from onboarding.domain.checks import MAX_AMOUNT
from onboarding.domain.positions import InvestmentClass, PositionType
from tests.unit.onboarding.upload import (
    call,
    codes,
    csv_bytes,
    faults,
    line,
    position,
    positions,
    row_faults,
)


def test_a_plain_row_becomes_a_position():
    stock = position(*line("aapl", "100", "158.00", "2024-01-15"))

    assert stock.symbol == "AAPL"
    assert (stock.quantity, stock.entry_price) == (Decimal(100), Decimal(158))
    assert stock.entry_date == date(2024, 1, 15)
    assert stock.investment_class is InvestmentClass.PUBLIC
    assert stock.investment_subtype is None
    assert stock.position_type is PositionType.LONG
    assert (stock.underlying_symbol, stock.exit_date, stock.exit_price) == (None, None, None)
    assert (stock.row, stock.multiplier) == (2, 1)


def test_every_fault_of_a_row_is_listed_in_the_order_of_the_columns():
    found = row_faults(
        *line("A/B", "x", "-1", "2024-13-01", investment_class="EQUITY", exit_price="2")
    )

    assert codes(found) == [
        "ERR_POS_003",
        "ERR_POS_005",
        "ERR_POS_010",
        "ERR_POS_013",
        "ERR_POS_016",
        "ERR_POS_029",
    ]


def test_a_fault_names_the_value_and_how_to_mend_it():
    (found,) = row_faults(*line(quantity="1,000"))

    assert found.message == "Quantity '1,000' is not a number: it contains ','."
    assert (found.row, found.field, found.value) == (2, "Quantity", "1,000")
    assert "thousands separators" in found.hint


def test_a_long_value_is_cut_where_it_is_shown():
    (found,) = row_faults(*line(quantity="9" * 1000))

    assert len(found.value) == 100
    assert found.value.endswith("9…")


# Numbers


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("1e3", "1000"),
        ("1E+7", "10000000"),
        ("+5", "5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("007", "7"),
        ("1.100", "1.1"),
        ("1.0000000", "1"),
        ("-0.000001", "-0.000001"),
        ("10000000e-7", "1"),
        ("99999999999999.999999", "99999999999999.999999"),
    ],
)
def test_a_quantity_is_read_exactly_and_stored_plainly(text, quantity):
    assert str(position(*line(quantity=text, price="0.01")).quantity) == quantity


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("NaN", "ERR_POS_005"),
        ("-Infinity", "ERR_POS_005"),
        ("sNaN", "ERR_POS_005"),
        ("1_000", "ERR_POS_005"),
        ("١٢٣", "ERR_POS_005"),
        ("1e99999", "ERR_POS_005"),
        ("(100)", "ERR_POS_005"),
        ("\N{MINUS SIGN}25", "ERR_POS_005"),
        ("--1", "ERR_POS_005"),
        ("1.2.3", "ERR_POS_005"),
        ("0e5", "ERR_POS_006"),
        ("-0", "ERR_POS_006"),
        ("1e-7", "ERR_POS_007"),
        ("1e14", "ERR_POS_030"),
        ("1e9999", "ERR_POS_030"),
    ],
)
def test_a_quantity_that_is_none_is_refused(text, code):
    assert codes(row_faults(*line(quantity=text))) == [code]


@pytest.mark.parametrize(
    ("text", "price"),
    [("1e3", "1000"), ("1E+2", "100"), ("1.100", "1.1"), ("0.01", "0.01"), ("158", "158")],
)
def test_a_price_counts_the_decimals_it_needs(text, price):
    assert str(position(*line(price=text)).entry_price) == price


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("NaN", "ERR_POS_009"),
        ("$5", "ERR_POS_009"),
        ("1,50", "ERR_POS_009"),
        ("0", "ERR_POS_010"),
        ("-1", "ERR_POS_010"),
        ("1.101", "ERR_POS_011"),
        ("1e-3", "ERR_POS_011"),
        ("100000000000000", "ERR_POS_030"),
    ],
)
def test_a_price_that_is_none_is_refused_as_entry_and_as_exit(text, code):
    (entry,) = row_faults(*line(price=text))
    (leaving,) = row_faults(*line(exit_date="2024-02-15", exit_price=text))

    assert (entry.code.name, entry.field) == (code, "Entry Price Per Share")
    assert (leaving.code.name, leaving.field) == (code, "Exit Price Per Share")


@pytest.mark.parametrize(
    ("quantity", "price", "is_taken"),
    [
        ("1e6", "1000000", True),
        ("-1e6", "1000000", True),
        ("1e6", "1000000.01", False),
        ("-1000000.000001", "1000000", False),
    ],
)
def test_a_position_is_one_of_at_most_a_trillion_dollars_at_entry_and_at_exit(
    quantity, price, is_taken
):
    bought = line(quantity=quantity, price=price)
    sold = line(quantity=quantity, price="1", exit_date="2024-02-15", exit_price=price)
    for cells, field in ((bought, "Entry Price Per Share"), (sold, "Exit Price Per Share")):
        if is_taken:
            assert position(*cells).quantity == Decimal(quantity)
        else:
            (found,) = row_faults(*cells)
            assert (found.code.name, found.field) == ("ERR_POS_030", field)
            assert "1,000,000,000,000 is the most" in found.message


def test_an_options_amount_is_of_the_shares_behind_it():
    assert position(*call(quantity="10000", price="1000000")).multiplier == 100
    assert codes(row_faults(*call(quantity="10000", price="1000000.01"))) == ["ERR_POS_030"]


@pytest.mark.parametrize(
    ("count", "amount"),
    [(5, MAX_AMOUNT - Decimal("0.01")), (75, Decimal("13333333333.33"))],
)
def test_amounts_within_the_bound_keep_their_cents_when_added_as_float64(count, amount):
    assert Decimal(sum([float(amount)] * count)).quantize(Decimal("0.01")) == count * amount


# Dates


@pytest.mark.parametrize("text", ["2024-01-05", "2024-1-5"])
def test_a_date_may_leave_out_leading_zeros(text):
    assert position(*line(entered=text)).entry_date == date(2024, 1, 5)


@pytest.mark.parametrize(
    "text", ["20240105", "2024-02-30", "01/15/2024", "2024-01-15T00:00", "0000-01-01", "today"]
)
def test_a_date_that_is_none_is_refused_as_entry_and_as_exit(text):
    (entry,) = row_faults(*line(entered=text))
    (leaving,) = row_faults(*line(exit_date=text, exit_price="1"))

    assert (entry.code.name, entry.field) == ("ERR_POS_013", "Entry Date")
    assert (leaving.code.name, leaving.field) == ("ERR_POS_013", "Exit Date")


def test_today_is_what_the_caller_says_it_is():
    cells = line(entered="2024-06-03", exit_date="2024-06-03", exit_price="1")

    assert position(*cells, today=date(2024, 6, 3)).exit_date == date(2024, 6, 3)
    assert codes(row_faults(*cells, today=date(2024, 6, 2))) == ["ERR_POS_014", "ERR_POS_014"]


@pytest.mark.parametrize(
    ("today", "oldest", "too_old"),
    [
        (date(2026, 1, 15), "1926-01-15", "1926-01-14"),
        (date(2024, 2, 29), "1924-02-29", "1924-02-28"),
        (date(2000, 2, 29), "1900-02-28", "1900-02-27"),
    ],
)
def test_a_hundred_years_are_counted_by_the_calendar(today, oldest, too_old):
    assert position(*line(entered=oldest), today=today).entry_date.isoformat() == oldest
    assert codes(row_faults(*line(entered=too_old), today=today)) == ["ERR_POS_015"]


# Exit


def test_a_closed_position_has_an_exit_date_and_price():
    closed = position(*line(exit_date="2024-02-15", exit_price="215.00"))

    assert (closed.exit_date, closed.exit_price) == (date(2024, 2, 15), Decimal(215))


def test_a_position_may_end_the_day_it_began():
    assert position(*line(exit_date="2024-01-15", exit_price="1")).exit_date == date(2024, 1, 15)


def test_a_future_exit_is_a_fault():
    (found,) = row_faults(*line(exit_date="2026-01-16", exit_price="1"))

    assert (found.code.name, found.field) == ("ERR_POS_014", "Exit Date")


# Symbols


@pytest.mark.parametrize("symbol", ["BRK.B", "BRK-B", "A16Z_VC_FUND", "V", "7203", "A" * 32])
def test_a_symbol_has_letters_digits_and_three_marks(symbol):
    assert position(*line(symbol)).symbol == symbol


@pytest.mark.parametrize(
    ("symbol", "hint"),
    [
        ("BRK/B", "Write BRK-B."),
        ("SPY   291221C00450000", "Write SPY291221C00450000."),
        ("SPAXX**", "Use letters"),
        ("Müller", "Use letters"),
        ("---", "Begin with a letter"),
        ("-ES", "Begin with a letter"),
        ("-SPY291221C00450000", "Write SPY291221C00450000."),
        ("-/ES", "Begin with a letter"),
    ],
)
def test_a_symbol_in_another_notation_is_refused_with_ours(symbol, hint):
    (found,) = row_faults(*line(symbol))

    assert found.code.name == "ERR_POS_003"
    assert found.hint.startswith(hint)


@pytest.mark.parametrize("symbol", ["/ES", "/esz26", "./ESZ26", "ES=F", "/ ES"])
def test_a_future_is_refused_with_what_to_do_instead(symbol):
    (found,) = row_faults(*line(symbol))

    assert found.code.name == "ERR_POS_003"
    assert found.message.endswith("names a futures contract, and futures are not accepted.")
    assert found.hint.startswith("Leave the row out")
    assert "Write" not in found.hint


# Class and subtype


@pytest.mark.parametrize(
    ("symbol", "stated", "understood", "subtype"),
    [
        ("AAPL", "", InvestmentClass.PUBLIC, None),
        ("SPAXX", "", InvestmentClass.PUBLIC, None),
        ("CASH_USD", "", InvestmentClass.PRIVATE, "CASH"),
        ("cash_usd", "", InvestmentClass.PRIVATE, "CASH"),
        ("HOME", "private", InvestmentClass.PRIVATE, "OTHER"),
        ("AAPL", "Public", InvestmentClass.PUBLIC, None),
    ],
)
def test_a_blank_class_or_subtype_is_understood(symbol, stated, understood, subtype):
    holding = position(*line(symbol, investment_class=stated))

    assert (holding.investment_class, holding.investment_subtype) == (understood, subtype)


@pytest.mark.parametrize(
    ("stated", "stored"),
    [
        ("CRYPTO", "CRYPTOCURRENCY"),
        ("hedge_fund", "HEDGE_FUND"),
        ("Private Equity", "PRIVATE_EQUITY"),
        ("Treasury-Bills", "TREASURY_BILLS"),
    ],
)
def test_a_subtype_is_stored_by_one_spelling(stated, stored):
    asset = position(*line("X", investment_class="PRIVATE", investment_subtype=stated))

    assert asset.investment_subtype == stored


@pytest.mark.parametrize("stated", ["", "PUBLIC"])
def test_a_subtype_of_another_class_is_a_fault_that_names_its_class(stated):
    cells = line(investment_class=stated, investment_subtype="HEDGE_FUND")

    (found,) = row_faults(*cells)

    assert found.code.name == "ERR_POS_017"
    assert found.hint.startswith(
        "It belongs to the class PRIVATE. A PUBLIC position is one of STOCK"
    )


def test_an_unknown_class_does_not_blame_a_good_subtype():
    good = line(investment_class="EQUITY", investment_subtype="STOCK")
    bad = line(investment_class="EQUITY", investment_subtype="SHARE")

    assert codes(row_faults(*good)) == ["ERR_POS_016"]
    assert codes(row_faults(*bad)) == ["ERR_POS_016", "ERR_POS_017"]


# Repeated lots


@pytest.mark.parametrize(
    "again",
    [
        line("aapl", "50", "160.00", "2024-01-15"),
        line(entered="2024-1-15"),
        line(price="none"),
        line(quantity="0"),
        line(exit_date="2024-02-15", exit_price="1"),
    ],
)
def test_a_lot_given_again_is_a_fault_that_names_the_first_row(again):
    for rows in ([line(), again], [again, line()]):
        found = faults(b"# a comment\n" + csv_bytes(*rows))

        assert codes(found).count("ERR_POS_023") == 1
        repeated = next(fault for fault in found if fault.code.name == "ERR_POS_023")
        assert (repeated.row, repeated.value) == (4, "AAPL 2024-01-15")
        assert "row 3" in repeated.message


@pytest.mark.parametrize(
    "other",
    [
        line(entered="2024-02-15"),
        line(quantity="-100"),
        line("MSFT"),
        call("AAPL", underlying_symbol="AAPL"),
    ],
)
def test_a_lot_that_differs_is_no_repetition(other):
    assert len(positions(line(), other)) == 2


def test_each_strike_of_one_symbol_is_a_lot_of_its_own():
    rows = [call("SPY"), call("SPY", strike_price="460"), call("SPY", option_type="PUT")]

    assert len(positions(*rows)) == 3
    assert codes(faults(csv_bytes(*rows, call("SPY", strike_price="460.0")))) == ["ERR_POS_023"]


def test_rows_whose_lot_cannot_be_told_repeat_nothing():
    found = faults(csv_bytes(line(entered="soon"), line(entered="soon")))

    assert codes(found) == ["ERR_POS_013", "ERR_POS_013"]
