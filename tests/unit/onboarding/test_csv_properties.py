"""What holds for every file: it is read as written, line for line, and no bytes make it raise."""

import csv
import io
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st

from onboarding.domain.columns import Column
from onboarding.domain.faults import Rejection
from onboarding.domain.imports import ImportReport
from onboarding.domain.occ import format_occ, is_same_underlying, parse_occ
from onboarding.domain.positions import OptionTerms, OptionType
from tests.unit.onboarding.upload import TODAY, csv_bytes, read

HEADER = ",".join(Column)
OLDEST = date(1926, 1, 15)

symbols = st.from_regex(r"[A-Z][A-Z0-9._-]{0,9}", fullmatch=True)
quantities = st.decimals(-(10**6), 10**6, places=6).filter(bool)
prices = st.decimals(Decimal("0.01"), 10**4, places=2)  # of an option, 1e12 dollars at most
dates = st.dates(OLDEST, TODAY)
terms = st.builds(
    OptionTerms,
    underlying_symbol=st.from_regex(r"[A-Z]{1,6}", fullmatch=True),
    expiration_date=st.dates(TODAY, date(2099, 12, 31)),
    option_type=st.sampled_from(OptionType),
    strike_price=st.decimals(Decimal("0.001"), Decimal("99999.999"), places=3),
)


@st.composite
def valid_rows(draw):
    """Draw rows as dictionaries by column, no two of one lot."""
    count = draw(st.integers(1, 8))
    return [draw(valid_row(number)) for number in range(count)]


@st.composite
def valid_row(draw, number):
    entered = draw(dates)
    cells = dict.fromkeys(Column, "")
    cells |= {
        Column.SYMBOL: f"{draw(symbols)}-{number}",
        Column.QUANTITY: str(draw(quantities)),
        Column.ENTRY_PRICE: str(draw(prices)),
        Column.ENTRY_DATE: entered.isoformat(),
        Column.CURRENCY: draw(st.sampled_from(["", "EUR", "usd", "Chf"])),
    }
    kind = draw(st.sampled_from(["plain", "closed", "option", "occ"]))
    if kind == "closed":
        cells[Column.EXIT_DATE] = draw(st.dates(entered, TODAY)).isoformat()
        cells[Column.EXIT_PRICE] = str(draw(prices))
    if kind == "option":
        option = draw(terms)
        cells[Column.UNDERLYING_SYMBOL] = option.underlying_symbol
        cells[Column.STRIKE_PRICE] = str(option.strike_price)
        cells[Column.EXPIRATION_DATE] = option.expiration_date.isoformat()
        cells[Column.OPTION_TYPE] = option.option_type
    if kind == "occ":
        cells[Column.SYMBOL] = draw(terms.map(format_occ).map(str))
        cells[Column.ENTRY_DATE] = (TODAY - timedelta(days=number)).isoformat()
    return cells


@st.composite
def written(draw, rows):
    """Write the rows as some program might, and return the bytes and each row's line."""
    order = draw(st.permutations(list(Column)))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    filler = st.sampled_from(["", "# a comment", ",,,,", "#", '# a "quote'])
    lines = [draw(st.sampled_from(["", "\ufeff"])) + draw(quoted(order))]
    numbers = []
    for cells in rows:
        lines += draw(st.lists(filler, max_size=2))
        numbers.append(len(lines) + 1)
        lines.append(draw(quoted([cells[column] for column in order])))
    return end.join(lines).encode(), numbers


# A cell as it is, padded, quoted, padded inside its quotes and before them.
FORMS = ("{}", " {}", '"{}"', '" {}"', ' "{}"')


@st.composite
def quoted(draw, cells):
    return ",".join(draw(st.sampled_from(FORMS)).format(cell) for cell in cells)


@given(data=st.data(), rows=valid_rows())
def test_a_book_is_read_as_it_was_written_whoever_wrote_it(data, rows):
    content, numbers = data.draw(written(rows))

    report = read(content)

    assert isinstance(report, ImportReport), report
    assert [position.row for position in report.positions] == numbers
    for cells, position in zip(rows, report.positions, strict=True):
        assert position.symbol == cells[Column.SYMBOL]
        assert position.quantity == Decimal(cells[Column.QUANTITY])
        assert position.entry_price == Decimal(cells[Column.ENTRY_PRICE])
        assert position.entry_date.isoformat() == cells[Column.ENTRY_DATE]
        assert position.currency == (cells[Column.CURRENCY].upper() or "USD")
        assert str(position.exit_date or "") == cells[Column.EXIT_DATE]
        strike = cells[Column.STRIKE_PRICE]
        assert not strike or position.strike_price == Decimal(strike)


@given(data=st.data(), rows=valid_rows())
def test_a_faulty_row_is_named_by_its_line_and_the_others_are_not(data, rows):
    faulty = data.draw(st.integers(0, len(rows) - 1))
    rows[faulty][Column.ENTRY_PRICE] = data.draw(st.sampled_from(["free", "-1", "NaN"]))
    content, numbers = data.draw(written(rows))

    rejection = read(content)

    assert isinstance(rejection, Rejection), rejection
    assert [(fault.row, fault.field) for fault in rejection.faults] == [
        (numbers[faulty], "Entry Price Per Share")
    ]


@given(st.binary(max_size=400))
@example(b"\xef\xbb\xbf\xff")
@example(b"\xff\xfe")
def test_no_bytes_make_the_reading_raise(content):
    assert isinstance(read(content), Rejection)


@given(st.text(alphabet='",#\n\r\0; AZ09.-eE\ufeff', max_size=300))
def test_no_text_below_a_header_makes_the_reading_raise(body):
    outcome = read(f"{HEADER}\n{body}")

    assert isinstance(outcome, Rejection | ImportReport)
    if isinstance(outcome, Rejection):
        assert 0 < len(outcome.faults) <= outcome.total
        assert all(fault.message and fault.hint for fault in outcome.faults)


@given(st.lists(st.text(max_size=12), min_size=len(Column), max_size=len(Column)))
@example(["0", "1", "1", "2024-01-15", "", "", "", "1e9999", "0001-01-01", "", "9999-12-31", "1"])
def test_no_cells_make_the_checks_raise(cells):
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([list(Column), cells])

    outcome = read(stream.getvalue().encode(errors="surrogatepass"))

    for fault in outcome.faults if isinstance(outcome, Rejection) else ():
        shown = (fault.message, fault.value or "")
        assert not any("\0" in text or "\x1b" in text for text in shown)


@given(st.lists(st.sampled_from(["AAPL", "V"]), min_size=2, max_size=6))
def test_every_lot_given_again_is_found(names):
    outcome = read(csv_bytes(*((name, "1", "1", "2024-01-15") for name in names)))

    repeated = len(names) - len(set(names))
    assert (outcome.total if isinstance(outcome, Rejection) else 0) == repeated


@given(terms)
def test_an_occ_symbol_reads_back_as_its_terms(option):
    symbol = format_occ(option)

    assert symbol is not None
    read_back = parse_occ(symbol)
    assert isinstance(read_back, OptionTerms)
    assert is_same_underlying(option.underlying_symbol, read_back, symbol)
    assert replace(read_back, underlying_symbol=option.underlying_symbol) == option
