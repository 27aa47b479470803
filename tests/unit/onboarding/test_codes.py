"""Every code onboarding can find is found by at least one file or form, alone and in its place."""

import pytest

from onboarding.domain.codes import Code
from onboarding.domain.imports import MAX_POSITIONS
from tests.unit.onboarding.upload import AAPL, call, csv_bytes, faults, form_faults, line

ANSWERED_BY_THE_SERVICE = {"ERR_PORT_001", "ERR_PORT_007", "ERR_PORT_008"}

HEADER = csv_bytes()
EXPIRED = {"expiration_date": "2025-12-19", "entered": "2025-01-02"}

FILES = {
    "ERR_CSV_001": (HEADER + b"#" * 10 * 1024 * 1024, None, None),
    "ERR_CSV_003": (HEADER, None, None),
    "ERR_CSV_004": (b"Symbol,Quantity,Entry Date\nAAPL,1,2024-01-15\n", 1, "Entry Price Per Share"),
    "ERR_CSV_005": (b"", None, None),
    "ERR_CSV_006": (HEADER + b"AAPL,1,2,2024-01-15\nM\xfcller,1,2,2024-01-15\n", 3, None),
    "ERR_CSV_007": (csv_bytes([*line(), "surplus"]), 2, None),
    "ERR_CSV_008": (csv_bytes(AAPL, header=[*HEADER.decode().split(",")[:4], "Strike"]), 1, None),
    "ERR_CSV_009": (csv_bytes(AAPL, header=[*HEADER.decode().split(",")[:4], "symbol"]), 1, None),
    "ERR_CSV_010": (
        csv_bytes(*(line(f"S{number}") for number in range(MAX_POSITIONS + 1))),
        MAX_POSITIONS + 2,
        None,
    ),
    "ERR_CSV_011": (csv_bytes(line("#AAPL"), line()), 2, "Symbol"),
}

ROWS = {
    "ERR_POS_001": (line(symbol=""), "Symbol"),
    "ERR_POS_002": (line(symbol="A" * 33), "Symbol"),
    "ERR_POS_003": (line(symbol="BRK/B"), "Symbol"),
    "ERR_POS_004": (line(quantity=""), "Quantity"),
    "ERR_POS_005": (line(quantity="1,000"), "Quantity"),
    "ERR_POS_006": (line(quantity="0.00"), "Quantity"),
    "ERR_POS_007": (line(quantity="1.0000001"), "Quantity"),
    "ERR_POS_008": (line(price=""), "Entry Price Per Share"),
    "ERR_POS_009": (line(price="$158"), "Entry Price Per Share"),
    "ERR_POS_010": (line(price="-158"), "Entry Price Per Share"),
    "ERR_POS_011": (line(price="158.001"), "Entry Price Per Share"),
    "ERR_POS_012": (line(entered=""), "Entry Date"),
    "ERR_POS_013": (line(entered="01/15/2024"), "Entry Date"),
    "ERR_POS_014": (line(entered="2026-01-16"), "Entry Date"),
    "ERR_POS_015": (line(entered="1926-01-14"), "Entry Date"),
    "ERR_POS_016": (line(investment_class="EQUITY"), "Investment Class"),
    "ERR_POS_017": (
        line(investment_class="PUBLIC", investment_subtype="ART"),
        "Investment Subtype",
    ),
    "ERR_POS_018": (line(exit_date="2024-01-14", exit_price="160"), "Exit Date"),
    "ERR_POS_019": (call(underlying_symbol=""), "Underlying Symbol"),
    "ERR_POS_020": (call(strike_price=""), "Strike Price"),
    "ERR_POS_021": (call(expiration_date=""), "Expiration Date"),
    "ERR_POS_022": (call(option_type=""), "Option Type"),
    "ERR_POS_024": (line(symbol="SPY291340C00450000"), "Symbol"),
    "ERR_POS_025": (call("SPY291221P00450000"), "Option Type"),
    "ERR_POS_026": (call(**EXPIRED), "Expiration Date"),
    "ERR_POS_027": (
        call(expiration_date="2024-01-12", exit_date="2024-01-16", exit_price="1"),
        "Expiration Date",
    ),
    "ERR_POS_028": (line(exit_date="2024-02-15"), "Exit Price Per Share"),
    "ERR_POS_029": (line(exit_price="160"), "Exit Date"),
    "ERR_POS_030": (line(quantity="1e14"), "Quantity"),
    "ERR_POS_031": (call(underlying_symbol="S P Y"), "Underlying Symbol"),
    "ERR_POS_032": (line(currency="EURO"), "Currency"),
}

FORMS = {
    "ERR_PORT_002": (" ", None, "1"),
    "ERR_PORT_003": ("n" * 256, None, "1"),
    "ERR_PORT_004": ("Mine", None, "0.00"),
    "ERR_PORT_005": ("Mine", None, "-1"),
    "ERR_PORT_006": ("Mine", None, "1000000000000.01"),
    "ERR_PORT_009": ("Mine", "d" * 1001, "1"),
    "ERR_PORT_010": ("Mine", None, "1.001"),
    "ERR_PORT_011": ("Mine", None, "NaN"),
    "ERR_PORT_012": ("Mi\0ne", None, "1"),
}


@pytest.mark.parametrize("code", FILES)
def test_a_faulty_file_gets_its_code(code):
    content, row, field = FILES[code]

    found = faults(content)

    assert {fault.code.name for fault in found} == {code}
    assert found[0].row == row
    assert field in {None, found[0].field}


def test_a_file_of_another_kind_gets_its_code():
    (found,) = faults(csv_bytes(AAPL), filename="book.xlsx")

    assert (found.code, found.value) == (Code.ERR_CSV_002, "book.xlsx")


@pytest.mark.parametrize("code", ROWS)
def test_a_faulty_row_gets_its_code_and_only_that(code):
    cells, field = ROWS[code]

    (found,) = faults(csv_bytes(line("MSFT"), cells))

    assert (found.code.name, found.row, found.field) == (code, 3, field)


def test_a_repeated_lot_gets_its_code():
    (found,) = faults(csv_bytes(AAPL, AAPL))

    assert (found.code.name, found.row, found.field) == (
        "ERR_POS_023",
        3,
        "Symbol + Entry Date",
    )


@pytest.mark.parametrize("code", FORMS)
def test_a_faulty_form_gets_its_code(code):
    name, description, equity = FORMS[code]

    (found,) = form_faults(name, description, equity)

    assert found.code.name == code


def test_no_code_is_without_a_case():
    proved = {*FILES, *ROWS, *FORMS, "ERR_CSV_002", "ERR_POS_023"}

    assert proved | ANSWERED_BY_THE_SERVICE == set(Code.__members__)


@pytest.mark.parametrize("code", Code)
def test_a_code_says_what_is_wrong_and_how_to_mend_it(code):
    assert code.spec.status == (409 if code is Code.ERR_PORT_001 else 400)
    assert code.spec.meaning.endswith(".")
    assert code.spec.remedy.endswith(".")
