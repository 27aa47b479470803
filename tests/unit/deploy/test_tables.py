"""Tables of the command line cut nothing, however narrow the terminal."""

import io

from rich.console import Console

from deploy.cli.cells import money, show, table_of


def test_a_narrow_terminal_cuts_no_number():
    table = table_of("Positions", *((name, "right") for name in ("Symbol", "Price", "Value")))
    amounts = [money(number * 1_234_567.89) for number in (1, 10, 100)]
    table.add_row(*amounts)
    written = io.StringIO()
    show(table, Console(file=written, width=20))
    assert "…" not in written.getvalue()
    assert all(amount in written.getvalue() for amount in amounts)


def test_what_is_not_known_is_a_dash():
    assert money(None) == "-"
