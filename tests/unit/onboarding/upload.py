"""Import files for the tests of onboarding: rows in, bytes out, and what came of them."""

import csv
import io
from datetime import date
from decimal import Decimal

from onboarding.domain.columns import Column
from onboarding.domain.faults import Rejection
from onboarding.domain.imports import ImportReport, read_positions
from onboarding.domain.portfolio import check_portfolio

TODAY = date(2026, 1, 15)

AAPL = ("AAPL", "100", "158.00", "2024-01-15", "PUBLIC", "STOCK")


def line(symbol="AAPL", quantity="100", price="158.00", entered="2024-01-15", **others):
    """Return a row's cells; `others` are columns by the lower-case names of `Column`."""
    cells = {
        Column.SYMBOL: symbol,
        Column.QUANTITY: quantity,
        Column.ENTRY_PRICE: price,
        Column.ENTRY_DATE: entered,
    }
    cells |= {Column[name.upper()]: value for name, value in others.items()}
    return [cells.get(column, "") for column in Column]


def call(symbol="SPY_CALL", quantity="100", **others):
    """Return the cells of an open option row whose four columns are filled."""
    terms = {
        "investment_class": "OPTIONS",
        "underlying_symbol": "SPY",
        "strike_price": "450",
        "expiration_date": "2029-12-21",
        "option_type": "CALL",
    }
    return line(symbol, quantity, **(terms | others))


def csv_bytes(*rows, header=tuple(Column), end="\n"):
    """Return the rows under the header as a CSV file."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def read(content, filename="book.csv", today=TODAY):
    """Read a file of bytes or text."""
    data = content.encode() if isinstance(content, str) else content
    return read_positions(data, filename, today)


def positions(*rows, today=TODAY):
    """Return the positions of rows that have no faults."""
    report = read(csv_bytes(*rows), today=today)
    assert isinstance(report, ImportReport), report
    return report.positions


def position(*cells, today=TODAY):
    """Return the one position of a row that has no faults."""
    (only,) = positions(cells, today=today)
    return only


def faults(content, **options):
    """Return the faults of a file that has some."""
    rejection = read(content, **options)
    assert isinstance(rejection, Rejection), rejection
    return rejection.faults


def row_faults(*cells, today=TODAY):
    """Return the faults of a file with this one row."""
    return faults(csv_bytes(cells), today=today)


def form_faults(name, description, balance):
    """Return the faults of a portfolio's form that has some."""
    found = check_portfolio(name, description, Decimal(balance))
    assert isinstance(found, tuple), found
    return found


def codes(found):
    """Return the codes' names."""
    return [fault.code.name for fault in found]
