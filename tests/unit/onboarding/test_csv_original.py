"""The cases the original's tests and runs left behind, with its defects D5-D12 and D14 mended.

The table says what each case does here; where the original did something else, a comment says so.
"""

import json
from datetime import date
from pathlib import Path

import pytest

from onboarding.domain.columns import REQUIRED, Column
from onboarding.domain.imports import ImportReport
from tests.unit.onboarding.upload import AAPL, TODAY, call, codes, csv_bytes, line, read

FIXTURES = Path(__file__).parents[4] / "shared" / "data" / "fixtures.json"

HEADER = ",".join(Column)
ROW = ",".join(line(investment_class="PUBLIC", investment_subtype="STOCK"))
CLOSED = {"exit_date": "2024-02-15", "exit_price": "215.00"}
OCC = "SPY291221C00450000"

# case: (file, codes in order)
OBSERVED = {
    "header_only_file": (HEADER, ["ERR_CSV_003"]),  # was: accepted
    "only_comment_lines": ("# a\n# b\n", ["ERR_CSV_003"]),
    "zero_byte_file": ("", ["ERR_CSV_005"]),
    "utf8_bom": (f"\ufeff{HEADER}\n{ROW}", []),  # was: ERR_CSV_004
    "latin1_bytes": (f"{HEADER}\nM\xfcller,1,1,2024-01-15".encode("latin-1"), ["ERR_CSV_006"]),
    "lowercase_headers": (f"{HEADER.lower()}\n{ROW}", []),  # was: ERR_CSV_004 four times
    "spaces_after_header_commas": (f"{HEADER.replace(',', ', ')}\n{ROW}", []),  # was: ERR_CSV_004
    "semicolon_delimiter": (f"{HEADER}\n{ROW}".replace(",", ";"), ["ERR_CSV_004"] * 4),
    "crlf": (f"{HEADER}\r\n{ROW}\r\n", []),
    "short_row_4_fields": (f"{HEADER}\nAAPL,100,158.00,2024-01-15", []),
    "row_with_13_fields": (f"{HEADER}\n{ROW},x", ["ERR_CSV_007"]),  # was: ERR_CSV_006
    "qty=1e3": (csv_bytes(line(quantity="1e3")), []),
    "qty=1E+7": (csv_bytes(line(quantity="1E+7")), []),  # was: ERR_POS_007
    "qty=NaN": (csv_bytes(line(quantity="NaN")), ["ERR_POS_005"]),  # was: ERR_CSV_006
    "qty=Infinity": (csv_bytes(line(quantity="Infinity")), ["ERR_POS_005"]),  # was: ERR_CSV_006
    "qty=1.0000000": (csv_bytes(line(quantity="1.0000000")), []),  # was: ERR_POS_007
    'qty="1,000"': (csv_bytes(line(quantity="1,000")), ["ERR_POS_005"]),
    "qty=1_000": (csv_bytes(line(quantity="1_000")), ["ERR_POS_005"]),  # was: accepted as 1000
    "price=1e3": (csv_bytes(line(price="1e3")), []),  # was: ERR_POS_011
    "price=1E+2": (csv_bytes(line(price="1E+2")), []),
    "price=NaN": (csv_bytes(line(price="NaN")), ["ERR_POS_009"]),
    "price=1.100": (csv_bytes(line(price="1.100")), []),  # was: ERR_POS_011
    "price=$5": (csv_bytes(line(price="$5")), ["ERR_POS_009"]),
    "price=-1": (csv_bytes(line(price="-1")), ["ERR_POS_010"]),
    "date=2024-1-5": (csv_bytes(line(entered="2024-1-5")), []),
    "date=20240105": (csv_bytes(line(entered="20240105")), ["ERR_POS_013"]),
    "date=2024-02-30": (csv_bytes(line(entered="2024-02-30")), ["ERR_POS_013"]),
    "date=1900-01-01": (csv_bytes(line(entered="1900-01-01")), ["ERR_POS_015"]),
    "date=tomorrow": (csv_bytes(line(entered="2026-01-16")), ["ERR_POS_014"]),
    "symbol_21_chars": (csv_bytes(line("A" * 21)), []),
    "symbol_101_chars": (csv_bytes(line("A" * 101)), ["ERR_POS_002"]),
    "symbol=#AAPL": (csv_bytes(line("#AAPL")), ["ERR_CSV_011"]),  # was: dropped in silence
    "symbol=SPAXX**": (csv_bytes(line("SPAXX**")), ["ERR_POS_003"]),
    "symbol=BRK/B": (csv_bytes(line("BRK/B")), ["ERR_POS_003"]),
    "class=EQUITY": (  # was: ERR_POS_017 besides, for a good subtype
        csv_bytes(line(investment_class="EQUITY", investment_subtype="STOCK")),
        ["ERR_POS_016"],
    ),
    "subtype_without_class=ANYTHINGATALL": (  # was: accepted
        csv_bytes(line(investment_subtype="ANYTHINGATALL")),
        ["ERR_POS_017"],
    ),
    "PRIVATE_without_subtype": (csv_bytes(line("HOME", investment_class="PRIVATE")), []),
    "occ_symbol_blank_class": (csv_bytes(line(OCC)), []),  # was: imported as PUBLIC
    "occ_symbol_class_OPTIONS_no_columns": (  # was: ERR_POS_019 to ERR_POS_022
        csv_bytes(line(OCC, investment_class="OPTIONS")),
        [],
    ),
    "option_columns_blank_class_bad_values": (  # was: accepted
        csv_bytes(call(investment_class="", strike_price="foo", option_type="X")),
        ["ERR_POS_020", "ERR_POS_022"],
    ),
    "strike=-450_expiry_past": (  # was: accepted
        csv_bytes(call(strike_price="-450", expiration_date="2025-12-19")),
        ["ERR_POS_020", "ERR_POS_026"],
    ),
    "exit_before_entry": (
        csv_bytes(line(exit_date="2024-01-14", exit_price="1")),
        ["ERR_POS_018"],
    ),
    "exit_same_day": (csv_bytes(line(exit_date="2024-01-15", exit_price="1")), []),
    "exit_future": (  # was: accepted
        csv_bytes(line(exit_date="2026-01-16", exit_price="1")),
        ["ERR_POS_014"],
    ),
    "exit_price=abc": (  # was: accepted
        csv_bytes(line(**(CLOSED | {"exit_price": "abc"}))),
        ["ERR_POS_009"],
    ),
    "exit_price=-5.12345": (  # was: accepted
        csv_bytes(line(**(CLOSED | {"exit_price": "-5.12345"}))),
        ["ERR_POS_010"],
    ),
    "exit_price_without_date": (csv_bytes(line(exit_price="1")), ["ERR_POS_029"]),  # was: accepted
    "exit_date_without_price": (  # was: accepted
        csv_bytes(line(exit_date="2024-02-15")),
        ["ERR_POS_028"],
    ),
    "duplicate_case_insensitive": (csv_bytes(line(), line("aapl")), ["ERR_POS_023"]),
    "duplicate_after_invalid_first": (  # was: the second row not blamed
        csv_bytes(line(quantity="0"), line()),
        ["ERR_POS_006", "ERR_POS_023"],
    ),
    "duplicate_2024-01-05_vs_2024-1-5": (  # was: accepted
        csv_bytes(line(entered="2024-01-05"), line(entered="2024-1-5")),
        ["ERR_POS_023"],
    ),
    "long_and_short_same_day": (csv_bytes(line(), line(quantity="-1")), []),  # was: ERR_POS_023
    "two_strikes_same_symbol_same_day": (  # was: ERR_POS_023
        csv_bytes(call("SPY"), call("SPY", strike_price="460")),
        [],
    ),
}


def codes_of(content, today=TODAY):
    outcome = read(content, today=today)
    return [] if isinstance(outcome, ImportReport) else codes(outcome.faults)


@pytest.mark.parametrize("case", OBSERVED)
def test_what_the_original_was_seen_to_do_is_done_right(case):
    content, expected = OBSERVED[case]

    assert codes_of(content) == expected


# The cases of the data files, on a day when their options were alive.


@pytest.fixture(scope="module")
def fixtures():
    if not FIXTURES.exists():
        pytest.skip(f"the project's shared data are not beside this clone: {FIXTURES}")
    return json.loads(FIXTURES.read_text())


def test_every_observed_case_is_in_the_table(fixtures):
    assert {name for name, *_ in fixtures["observed_parser_behaviour"]} == set(OBSERVED)


def test_the_columns_are_those_of_the_contract(fixtures):
    # The original has no currencies: a column of ours, behind its own.
    assert [*fixtures["csv_columns"], Column.CURRENCY] == list(Column)
    assert fixtures["required_columns"] == list(REQUIRED)


def test_the_unit_cases_have_their_codes(fixtures):
    mended = {"option_negative_strike": ["ERR_POS_020"]}
    cases = [case for case in fixtures["unit_csv_cases"] if "rows" in case]
    assert len(cases) == 22
    for case in cases:
        expected = mended.get(case["name"], case["expect"].get("codes", []))
        assert codes_of(_file(case), date(2024, 3, 1)) == expected, case["name"]


def test_the_integration_cases_import_or_have_their_codes(fixtures):
    cases = [case for case in fixtures["integration_cases"] if "rows" in case]
    assert len(cases) == 6
    for case in cases:
        outcome = read(_file(case), today=date(2024, 10, 15))
        expect = case["expect"]
        if expect["status"] != 201:
            assert expect.get("inner_code", "ERR_POS_004") in codes(outcome.faults), case["name"]
            continue
        assert len(outcome.positions) == expect.get("imported", 1), case["name"]
        types = {position.symbol: position.position_type for position in outcome.positions}
        assert types == expect.get("types", types), case["name"]


def test_the_design_documents_examples_are_valid(fixtures):
    for name in ("template_7_4", "A4_mixed", "A5_options", "A6_alternatives"):
        rows = fixtures["design_doc_rows"][name]

        assert codes_of(csv_bytes(*rows), date(2025, 1, 15)) == [], name


def test_brokers_exports_are_refused_by_their_header(fixtures):
    for broker, header in fixtures["design_doc_rows"]["broker_headers"].items():
        found = set(codes_of(csv_bytes(AAPL, header=header)))

        assert found == {"ERR_CSV_004"}, broker


def _file(case):
    dropped = case.get("drop_column")
    header = [column for column in Column if column != dropped]
    content = csv_bytes(*case["rows"], header=header).decode()
    first, rest = content.split("\n", 1)
    before = "# a comment\n" * case.get("comments_before", 0)
    after = "# another\n" * case.get("comments_after_header", 0)
    return f"{before}{first}\n{after}{rest}"
