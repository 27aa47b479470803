"""What a row's prices are in: the cell, else the symbol of cash, else the account's currency."""

import pytest
import QuantLib

from onboarding.domain.currencies import CURRENCIES
from onboarding.domain.portfolio import position_ids
from tests.unit.onboarding.test_portfolio import PORTFOLIO, named
from tests.unit.onboarding.upload import (
    call,
    codes,
    csv_bytes,
    faults,
    line,
    position,
    positions,
    read,
    row_faults,
)

# Of QuantLib's currencies those that are none of the standard's today: replaced by the euro or by
# another unit of their own, cryptocurrencies, and the renminbi as it is traded outside China.
REPLACED = (
    *("ATS", "BEF", "BGL", "BGN", "CYP", "DEM", "EEK", "ESP", "FIM", "FRF", "GRD", "HRK", "IEP"),
    *("ITL", "LTL", "LUF", "LVL", "MTL", "NLG", "PTE", "SIT", "SKK"),
    *("BYR", "PEH", "PEI", "ROL", "TRL", "VEB"),
)
NEVER = ("BCH", "BTC", "CNH", "DASH", "ETC", "ETH", "LTC", "XRP", "ZEC")


def test_the_codes_are_those_quantlib_knows_too_but_for_what_is_gone():
    known = {
        getattr(QuantLib, name)().code()
        for name in dir(QuantLib)
        if name.endswith("Currency") and name != "Currency"
    }
    assert len(known) > 100
    assert known - CURRENCIES == {*REPLACED, *NEVER}


def test_the_codes_are_as_many_as_the_standard_lists_without_tests_and_no_currency():
    assert len(CURRENCIES) == 178 - 2
    assert not CURRENCIES & {"XTS", "XXX"}


@pytest.mark.parametrize(
    ("text", "currency"),
    [("EUR", "EUR"), ("chf", "CHF"), (" Gbp ", "GBP"), ("USD", "USD"), ("", "USD")],
)
def test_a_cell_names_the_currency_and_blank_is_the_accounts(text, currency):
    assert position(*line(currency=text)).currency == currency


def test_a_file_without_the_column_is_of_dollars():
    report = read("Symbol,Quantity,Entry Price Per Share,Entry Date\nV,1,1,2024-01-15\n")

    assert [one.currency for one in report.positions] == ["USD"]


def test_an_option_and_cash_may_be_in_another_currency_too():
    option = position(*call("SAP_CALL", underlying_symbol="SAP", currency="EUR"))

    assert (option.currency, option.multiplier) == ("EUR", 100)
    assert position(*line("CASH", "1", "500", currency="EUR")).currency == "EUR"


@pytest.mark.parametrize(
    ("symbol", "stated", "currency"),
    [
        ("CASH_EUR", "", "EUR"),
        ("cash_jpy", "", "JPY"),
        ("CASH_USD", "", "USD"),
        ("CASH_SAVINGS", "", "USD"),
        ("CASH_EUR", "USD", "USD"),  # so many euros, worth so many dollars
        ("EUR", "", "USD"),
    ],
)
def test_cash_that_names_its_currency_is_in_it_unless_the_cell_says_otherwise(
    symbol, stated, currency
):
    assert position(*line(symbol, currency=stated)).currency == currency


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("GBp", "Write GBP, and the prices in it: 100 GBp are 1 GBP."),
        ("GBX", "Write GBP, and the prices in it: 100 GBX are 1 GBP."),
        ("ZAc", "Write ZAR, and the prices in it: 100 ZAc are 1 ZAR."),
        ("€", "Write EUR."),
        ("US$", "Write USD."),
        ("CNH", "Write CNY."),
        ("Dollar", "Give the code of what the prices are in, such as EUR"),
        ("DEM", "Give the code of what the prices are in, such as EUR"),
        ("XXX", "Give the code of what the prices are in, such as EUR"),
    ],
)
def test_what_is_no_code_is_refused_with_what_to_write(text, hint):
    (found,) = row_faults(*line(currency=text))

    assert (found.code.name, found.field, found.value) == ("ERR_POS_032", "Currency", text)
    assert found.message == f"Currency '{text}' is no ISO 4217 code."
    assert found.hint.startswith(hint)


@pytest.mark.parametrize("name", ["Curency", "CCY", "Local Currency", "Currency Code"])
def test_a_column_that_seems_to_say_it_is_not_ignored(name):
    header = f"Symbol,Quantity,Entry Price Per Share,Entry Date,{name}\n"

    (found,) = faults(header + "SAP,1,1,2024-01-15,EUR\n")

    assert (found.code.name, found.field, found.value) == ("ERR_CSV_008", "Currency", name)


def test_beside_the_column_others_that_speak_of_currencies_are_ignored():
    header = "Symbol,Quantity,Entry Price Per Share,Entry Date,Currency,Account Currency\n"

    report = read(header + "SAP,1,1,2024-01-15,EUR,USD\n")

    assert [one.currency for one in report.positions] == ["EUR"]
    assert report.ignored_columns == ("Account Currency",)


def test_lots_in_two_currencies_are_two_and_have_ids_of_their_own():
    lots = positions(line("SAP", currency="EUR"), line("SAP"), line("SAP", currency="CHF"))

    assert position_ids(PORTFOLIO, lots, deterministic=True) == (
        named("SAP:2024-01-15:LONG:EUR"),
        named("SAP:2024-01-15"),
        named("SAP:2024-01-15:LONG:CHF"),
    )
    again = csv_bytes(line("SAP", currency="EUR"), line("SAP", "5", currency="eur"))
    assert codes(faults(again)) == ["ERR_POS_023"]
