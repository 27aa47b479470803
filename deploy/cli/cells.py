"""How tables and their cells are written."""

from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

WIDEST = 1_000


def table_of(title: str, *columns: tuple[str, Literal["left", "right"]]) -> Table:
    """Return an empty table whose columns never shrink."""
    # A number that is cut is a wrong number: no column may shrink.
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for heading, justify in columns:
        table.add_column(heading, justify=justify, no_wrap=True)
    return table


def show(table: Table, console: Console) -> None:
    """Print a table as wide as it is: a narrow terminal breaks lines, and cuts no number."""
    natural = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    before = console.width
    console.width = max(before, natural)
    try:
        console.print(table, crop=False)
    finally:
        console.width = before


def money(value: float | None) -> str:
    """Write an amount to the cent; a dash where it is not known."""
    return "-" if value is None else f"{value:,.2f}"


def number(value: float) -> str:
    """Write a quantity without trailing zeros."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def percent(fraction: float | None) -> str:
    """Write a fraction in percent; a dash where it is not known."""
    return "-" if fraction is None else f"{fraction:.2%}"
