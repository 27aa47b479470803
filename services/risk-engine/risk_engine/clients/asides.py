"""What is beside a panel's columns, the same for many panels: the long reference with the
cross-section of shares, and the rates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa

from risk_engine.clients.columns import (
    BARS,
    Edition,
    describe,
    edition_of,
    histories_of,
    prices_of,
    securities_of,
    tables_of,
)
from risk_engine.domain import Benchmark, Prices, Rates, Security

CLOSES = ("close", "split_ratio", "dividend")


@dataclass(frozen=True, eq=False)
class Reference:
    """A panel's reference. Its prices name no version: they are of all panels that show them.

    `cross_section` has closes, splits and dividends alone; None where a panel shows none.
    """

    prices: Prices
    securities: Mapping[str, Security]
    benchmark: Benchmark | None
    cross_section: Prices | None = None

    @property
    def nbytes(self) -> int:
        """Return how many bytes the arrays take."""
        size: int = sum(getattr(self.prices, name).nbytes for name in BARS)
        if self.cross_section is not None:
            size += sum(getattr(self.cross_section, name).nbytes for name in CLOSES)
        return size


@dataclass(frozen=True, eq=False)
class Curves:
    """A panel's rates."""

    rates: Rates

    @property
    def nbytes(self) -> int:
        """Return how many bytes the arrays take."""
        return self.rates.zero.nbytes + self.rates.years.nbytes


def decode_reference(content: bytes) -> Reference:
    """Read a reference's Arrow IPC streams, of which the second is the cross-section's.

    Raises:
        ValueError: a bar lies outside its sessions.
    """
    table, *more = tables_of(content)
    described = describe(table)
    said = described["benchmark"]
    securities, cross_section = securities_of(described), None
    for shares in more:
        securities = {**securities_of(describe(shares)), **securities}
        cross_section = _closes(_prices(shares))
    return Reference(
        prices=_prices(table),
        securities=securities,
        benchmark=said
        and Benchmark(said["name"], date.fromisoformat(said["as_of"]), said["weights"]),
        cross_section=cross_section,
    )


def _prices(table: pa.Table) -> Prices:
    described = describe(table)
    edition = edition_of(described)
    histories = histories_of(table, edition.sessions)
    ordered = {symbol: histories[symbol] for symbol in sorted(histories)}
    return prices_of(edition, 0, ordered, described["missing"])


def _closes(prices: Prices) -> Prices:
    # Returns are all that is asked of them, and they travel to the pool with every chunk. Copies,
    # so that they do not keep the rest.
    return replace(
        prices,
        close=prices.close.copy(),
        split_ratio=prices.split_ratio.copy(),
        dividend=prices.dividend.copy(),
        open=None,
        high=None,
        low=None,
        volume=None,
    )


def no_reference(edition: Edition) -> Reference:
    """Return the reference of a panel that has none."""
    nothing = Edition(edition.as_of, edition.provider, edition.model_version, ())
    return Reference(prices_of(nothing, 0, {}, {}), {}, None)


def decode_rates(content: bytes) -> Curves:
    """Read the Arrow IPC stream of a panel's rates."""
    table = pa.ipc.open_stream(content).read_all()
    years: Mapping[str, float] = describe(table)["years"]
    tenors = [name for name in table.column_names if name in years]
    zero = np.empty((table.num_rows, len(tenors)))
    for place, tenor in enumerate(tenors):
        # What is null becomes NaN.
        zero[:, place] = table.column(tenor).to_numpy()
    sessions = tuple(table.column("session").to_pylist())
    return Curves(Rates(sessions, np.array([years[tenor] for tenor in tenors]), zero))


def no_rates() -> Curves:
    """Return the rates of a panel that has none."""
    return Curves(Rates.unknown())
