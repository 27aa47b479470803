"""What benchmarks share: the rows they print, and the system under load."""

import logging
from collections.abc import Iterator

import pytest

from tests.benchmarks.figures import Figures

FIGURES = Figures()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep what is broken on purpose, a thousand times, out of what is printed."""
    root = logging.getLogger()
    usual = root.level
    root.setLevel(logging.ERROR)
    yield
    root.setLevel(usual)


@pytest.fixture
def figures() -> Figures:
    """The rows of this run; all of them are printed again at its end."""
    return FIGURES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of `docs/benchmarks.md`."""
    if FIGURES.rows:
        terminalreporter.write_sep("=", "rows for docs/benchmarks.md")
        terminalreporter.write_line(FIGURES.table())
