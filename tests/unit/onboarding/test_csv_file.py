"""An import file is read as its author meant it, and its faults carry the author's line numbers."""

import pytest

from onboarding.domain.columns import Column
from onboarding.domain.csv_file import MAX_FILE_BYTES
from onboarding.domain.imports import ImportReport
from onboarding.domain.positions import PositionType
from tests.unit.onboarding.upload import AAPL, codes, csv_bytes, faults, line, read

HEADER = ",".join(Column) + "\n"
SHORT_HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date\n"
GOOD = "AAPL,100,158.00,2024-01-15\n"
BAD = "MSFT,none,158.00,2024-01-15\n"


def symbols(content, **options):
    report = read(content, **options)
    assert isinstance(report, ImportReport), report
    return [position.symbol for position in report.positions]


# The file as a whole


def test_a_file_of_exactly_ten_mebibytes_passes():
    start = (HEADER + GOOD).encode()
    comments = (b"#" * 99_999 + b"\n") * ((MAX_FILE_BYTES - len(start)) // 100_000)
    content = start + comments
    content += b"#" * (MAX_FILE_BYTES - len(content))

    assert len(content) == MAX_FILE_BYTES
    assert symbols(content) == ["AAPL"]
    assert codes(faults(content + b"#")) == ["ERR_CSV_001"]


@pytest.mark.parametrize("filename", [None, "", "book", "book.csv.xlsx", "csv"])
def test_a_name_without_csv_at_its_end_is_refused(filename):
    assert codes(faults(csv_bytes(AAPL), filename=filename)) == ["ERR_CSV_002"]


@pytest.mark.parametrize("filename", ["BOOK.CSV", "my book.csv ", ".csv"])
def test_the_name_may_be_in_any_case(filename):
    assert symbols(csv_bytes(AAPL), filename=filename) == ["AAPL"]


def test_a_large_file_of_another_kind_has_both_faults():
    found = faults(b"x" * (MAX_FILE_BYTES + 1), filename="book.pdf")

    assert codes(found) == ["ERR_CSV_001", "ERR_CSV_002"]


@pytest.mark.parametrize("content", ["", "\n\n  \n", "\ufeff", ",,,\n"])
def test_a_file_of_nothing_has_no_header(content):
    assert codes(faults(content)) == ["ERR_CSV_005"]


def test_a_file_of_comments_holds_no_positions():
    assert codes(faults("# one\n# two\n")) == ["ERR_CSV_003"]


def test_a_header_alone_holds_no_positions():
    (found,) = faults(HEADER + "\n,,,,\n# a comment\n")

    assert found.code.name == "ERR_CSV_003"
    assert "header row but no positions" in found.message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(end):
    content = csv_bytes(AAPL, line("MSFT"), end=end)

    assert symbols(content) == ["AAPL", "MSFT"]
    assert [found.row for found in faults(content + f"X,,1,2024-01-15{end}".encode())] == [4]


def test_excels_byte_order_mark_is_no_part_of_the_header():
    assert symbols(b"\xef\xbb\xbf" + csv_bytes(AAPL)) == ["AAPL"]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_that_is_not_utf8_is_named_with_its_line_and_offset(mark):
    start = mark + b"# a\r\n" + SHORT_HEADER.encode() + b"\r\n"

    (found,) = faults(start + b"M\xfcller,1,1,2024-01-15\n")

    assert (found.code.name, found.row, found.value) == ("ERR_CSV_006", 4, "0xfc")
    assert f"offset {len(start) + 1} (line 4)" in found.message


def test_utf16_is_called_by_its_name():
    (found,) = faults((HEADER + GOOD).encode("utf-16"))

    assert "UTF-16" in found.message


def test_a_control_character_is_a_fault_of_its_row_and_the_others_are_still_checked():
    found = faults(SHORT_HEADER + "AA\0PL,1,1,2024-01-15\n" + BAD)

    assert [(fault.code.name, fault.row) for fault in found] == [
        ("ERR_CSV_006", 2),
        ("ERR_POS_005", 3),
    ]
    assert "U+0000" in found[0].message


def test_a_control_character_on_a_rows_second_line_is_a_fault_of_the_row():
    (found,) = faults(SHORT_HEADER + '"AAPL\n\x1b",1,1,2024-01-15\n')

    assert (found.code.name, found.row, found.value) == ("ERR_CSV_006", 2, "U+001B")


def test_more_than_a_hundred_thousand_lines_are_not_read():
    assert codes(faults(HEADER + "\n" * 100_000)) == ["ERR_CSV_010"]


# The header


@pytest.mark.parametrize(
    "header",
    [
        "symbol,QUANTITY,entry price per share,Entry date",
        " Symbol , Quantity , Entry  Price Per Share , Entry Date ",
        '"Symbol","Quantity","Entry Price Per Share","Entry Date"',
        "symbol,quantity,entry_price_per_share,EntryDate",
        "Symbol*,Quantity*,Entry Price Per Share*,Entry Date*",
        "Symbol,Quantity,Entry Price Per Share,Entry Date,,,",
    ],
)
def test_a_headers_case_spaces_and_punctuation_do_not_matter(header):
    assert symbols(f"{header}\n{GOOD}") == ["AAPL"]


def test_columns_may_stand_in_any_order():
    assert symbols("Entry Date,Symbol,Entry Price Per Share,Quantity\n2024-01-15,V,1,2\n") == ["V"]


def test_every_missing_column_is_listed():
    found = faults("Symbol\nAAPL\n")

    assert [(fault.code.name, fault.field) for fault in found] == [
        ("ERR_CSV_004", "Quantity"),
        ("ERR_CSV_004", "Entry Price Per Share"),
        ("ERR_CSV_004", "Entry Date"),
    ]


@pytest.mark.parametrize(
    ("delimiter", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")]
)
def test_another_delimiter_is_recognised_and_named(delimiter, name):
    found = faults((SHORT_HEADER + GOOD).replace(",", delimiter))

    assert codes(found) == ["ERR_CSV_004"] * 4
    assert all(f"by {name}" in fault.message for fault in found)
    quoted = ",".join(f'"{name}"' for name in SHORT_HEADER.strip().split(",")) + "\n"
    assert faults((quoted + GOOD).replace(",", delimiter)) == found


def test_a_first_line_that_is_no_header_is_called_so():
    (found,) = faults("# my book\n" + GOOD + GOOD)

    assert (found.code.name, found.row) == ("ERR_CSV_005", 2)


def test_a_misspelt_required_column_is_missing_and_the_hint_names_it():
    (found,) = faults(SHORT_HEADER.replace("Quantity", "Quantiy") + GOOD)

    assert (found.code.name, found.field) == ("ERR_CSV_004", "Quantity")
    assert "'Quantiy'" in found.hint


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Exit Prce", "Exit Price Per Share"),
        ("Exit Price", "Exit Price Per Share"),
        ("Strike", "Strike Price"),
        ("Expiry", "Expiration Date"),
        ("Asset Class", "Investment Class"),
        ("Put/Call", "Option Type"),
        ("Exit Dat", "Exit Date"),
    ],
)
def test_a_name_that_resembles_an_absent_column_is_not_ignored(name, meant):
    (found,) = faults(SHORT_HEADER.strip() + f",{name}\n" + GOOD)

    assert (found.code.name, found.field, found.value) == ("ERR_CSV_008", meant, name)
    assert "Expiration Date" in found.hint


def test_other_columns_are_ignored_and_reported():
    report = read(SHORT_HEADER.strip() + ",Notes,Sector,Trade Date\nV,1,1,2024-01-15,a,b,c\n")

    assert isinstance(report, ImportReport)
    assert report.ignored_columns == ("Notes", "Sector", "Trade Date")


def test_a_column_given_twice_is_a_fault():
    (found,) = faults(SHORT_HEADER.strip() + ",QUANTITY\n" + GOOD)

    assert (found.code.name, found.field) == ("ERR_CSV_009", "Quantity")


def test_a_header_that_cannot_be_read_ends_the_reading():
    (found,) = faults('Symbol,"Quantity"x\n' + GOOD)

    assert (found.code.name, found.row) == ("ERR_CSV_006", 1)


def test_a_header_of_countless_columns_ends_the_reading():
    assert codes(faults("a," * 1000)) == ["ERR_CSV_006"]


# Rows and lines


def test_rows_are_numbered_as_in_the_users_own_file():
    found = faults(f"# a\n\n{SHORT_HEADER}# b\n{GOOD}\n,,,\n{BAD}# c\n{BAD}")

    assert [fault.row for fault in found if fault.field == "Quantity"] == [8, 10]


def test_a_row_with_line_breaks_in_its_cells_is_numbered_by_its_first_line():
    header = SHORT_HEADER.strip() + ",Notes\n"
    noted = 'AAPL,100,158,2024-01-15,"first\n# second\n""third"""\n'

    assert symbols(header + noted) == ["AAPL"]
    found = faults(header + noted + noted.replace("100", "x") + BAD)
    assert [fault.row for fault in found] == [5, 8]


def test_a_short_row_has_blank_cells():
    assert symbols(HEADER + GOOD) == ["AAPL"]


def test_a_surplus_value_is_a_fault_of_its_row_alone():
    padded = "V,1,158,2024-01-15,,,\n"

    found = faults(SHORT_HEADER + "AAPL,1,158,2024-01-15,7\n" + padded + BAD)

    assert [(fault.code.name, fault.row, fault.value) for fault in found] == [
        ("ERR_CSV_007", 2, "7"),
        ("ERR_POS_005", 4, "none"),
    ]


def test_a_value_under_a_nameless_column_is_a_fault():
    (found,) = faults("Symbol,,Quantity,Entry Price Per Share,Entry Date\nV,x,1,1,2024-01-15\n")

    assert (found.code.name, found.value) == ("ERR_CSV_007", "x")


def test_a_quote_never_closed_does_not_hide_the_faults_below_it():
    found = faults(SHORT_HEADER + 'AAPL,"100,158,2024-01-15\n' + BAD + GOOD + BAD)

    assert [(fault.code.name, fault.row) for fault in found[:2]] == [
        ("ERR_CSV_006", 2),
        ("ERR_POS_005", 3),
    ]
    assert "never closed" in found[0].message


def test_text_after_a_closing_quote_is_a_fault_of_its_row():
    found = faults(SHORT_HEADER + '"AAPL"x,100,158,2024-01-15\n' + BAD)

    assert [(fault.code.name, fault.row) for fault in found] == [
        ("ERR_CSV_006", 2),
        ("ERR_POS_005", 3),
    ]


def test_an_endless_line_is_a_fault_of_its_row():
    found = faults(SHORT_HEADER + "A" * 100_001 + ",1,1,2024-01-15\n" + BAD)

    assert codes(found) == ["ERR_CSV_006", "ERR_POS_005"]
    assert len(found[0].value) == 100


@pytest.mark.parametrize("cell", ['"{}"', ' "{}"', "  {}\t"])
def test_cells_may_be_quoted_and_padded(cell):
    values = ("AAPL", "-100", "158.00", "2024-01-15")

    report = read(SHORT_HEADER + ",".join(cell.format(value) for value in values))

    assert isinstance(report, ImportReport)
    assert [position.position_type for position in report.positions] == [PositionType.SHORT]


# Comments


@pytest.mark.parametrize(
    "comment",
    [
        "# bought on the dip, sold too early",
        "  # indented",
        "#,,,,,,,,,,,",
        '"# saved by a spreadsheet, with quotes",,,,',
        '# a stray " quote',
        "# 1, 2",
    ],
)
def test_a_comment_is_left_out(comment):
    assert symbols(f"{comment}\n{SHORT_HEADER}{comment}\n{GOOD}{comment}") == ["AAPL"]


@pytest.mark.parametrize(
    "commented",
    [
        "#AAPL,100,158.00,2024-01-15",
        "# AAPL,100,158.00,2024-01-15,PUBLIC,STOCK,,,,,,",
        '#"AAPL","100","158.00","2024-01-15"',
        "#AAPL,one hundred,158.00,2024-01-15",
        "#AAPL,100,158.00,",
    ],
)
def test_a_position_behind_a_hash_sign_is_never_left_out_in_silence(commented):
    (found,) = faults(f"{HEADER}{GOOD}{commented}\n")

    assert (found.code.name, found.row) == ("ERR_CSV_011", 3)


def test_a_quoted_symbol_with_a_hash_sign_is_a_faulty_symbol():
    assert codes(faults(SHORT_HEADER + '"#AAPL",100,158.00,2024-01-15')) == ["ERR_POS_003"]


# All or nothing


def test_one_bad_row_among_good_ones_imports_nothing():
    found = faults(SHORT_HEADER + GOOD + BAD + GOOD.replace("AAPL", "V"))

    assert [(fault.code.name, fault.row) for fault in found] == [("ERR_POS_005", 3)]


def test_the_first_thousand_faults_are_listed_and_all_are_counted():
    rejection = read(csv_bytes(*(line("", quantity="") for _ in range(600))))

    assert not isinstance(rejection, ImportReport)
    assert (len(rejection.faults), rejection.total) == (1_000, 1_200)


def test_ten_thousand_positions_are_read():
    assert len(symbols(csv_bytes(*(line(f"S{number}") for number in range(10_000))))) == 10_000
