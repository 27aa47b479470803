"""A market made for tests, and books to hold in it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from common import calendar
from common.events.onboarding import Book, BookPosition
from common.options import Contract, Right
from marketdata.domain import (
    BAR,
    CURVE,
    REFERENCE,
    TENORS,
    Benchmark,
    Curves,
    Dividend,
    History,
    Profile,
    Snapshot,
    Source,
)

RIGHTS: tuple[Right, ...] = ("call", "put")
FRIDAY = date(2026, 1, 9)
MONDAY = date(2026, 1, 12)
AFTER_MONDAY = datetime(2026, 1, 12, 23, tzinfo=UTC)


@dataclass
class FakeMarket:
    """A provider whose prices follow from symbol, session and model; it keeps what it was asked.

    `delisted` maps a symbol to its last session, `trouble` is raised by every call, `speechless` by
    those for snapshots, curves and the benchmark; it knows no way with snapshots of what it
    `stumbles` over, and of no benchmark unless it `weighs`. `barrier` makes callers of `bars` wait
    for each other.
    """

    listed: set[str]
    model_version: str = "1"
    delisted: dict[str, date] = field(default_factory=dict)
    trouble: Exception | None = None
    speechless: Exception | None = None
    stumbles: set[str] = field(default_factory=set)
    weighs: bool = True
    cross_section: frozenset[str] = frozenset()
    barrier: asyncio.Barrier | None = None
    profiles_asked: list[tuple[str, ...]] = field(default_factory=list)
    bars_asked: list[tuple[tuple[str, ...], date, date]] = field(default_factory=list)
    snapshots_asked: list[tuple[tuple[str, ...], date]] = field(default_factory=list)
    curves_asked: list[tuple[date, date]] = field(default_factory=list)
    without_curve: set[date] = field(default_factory=set)
    """Sessions whose curve has not come yet."""
    benchmarks_asked: list[date] = field(default_factory=list)
    chains_asked: list[tuple[str, date]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listed = self.listed | REFERENCE | self.cross_section

    @property
    def source(self) -> Source:
        return Source("simulated", self.model_version)

    async def profiles(self, symbols: Sequence[str]) -> Mapping[str, Profile]:
        self.profiles_asked.append(tuple(symbols))
        if self.trouble:
            raise self.trouble
        return {
            symbol: Profile(symbol, f"{symbol} Inc.", "stock", "Technology", "Chips", "NYSE", "US")
            for symbol in symbols
            if symbol in self.listed
        } | {
            symbol: Profile(symbol, symbol, "option", None, None, None, None)
            for symbol in symbols
            if (contract := Contract.parse(symbol)) and contract.underlying in self.listed
        }

    async def bars(self, symbols: Sequence[str], start: date, end: date) -> Mapping[str, History]:
        self.bars_asked.append((tuple(symbols), start, end))
        if self.trouble:
            raise self.trouble
        if self.barrier:
            await self.barrier.wait()
        return {symbol: self.history(symbol, start, end) for symbol in symbols}

    async def snapshots(self, symbols: Sequence[str], session: date) -> Mapping[str, Snapshot]:
        self.snapshots_asked.append((tuple(symbols), session))
        if trouble := self.trouble or self.speechless:
            raise trouble
        if stumbled := self.stumbles & set(symbols):
            raise ValueError(f"{stumbled} cannot be")
        return {symbol: self.said(symbol, session) for symbol in symbols}

    def said(self, symbol: str, session: date) -> Snapshot:
        number = sum(symbol.encode()) + session.toordinal() % 50 + float(self.model_version)
        if Contract.parse(symbol):
            return Snapshot(
                bid=number / 100,
                ask=number / 90,
                volume=int(number),
                open_interest=10 * int(number),
                underlying_price=number,
            )
        return Snapshot(
            bid=number - 0.01,
            ask=number + 0.01,
            market_cap=number * 1e9,
            dividend_yield=number / 1e5,
            beta=number / 500,
            dividends=tuple(
                Dividend(session + timedelta(days=ahead), number / 1e4) for ahead in (30, 121)
            ),
        )

    async def curves(self, start: date, end: date) -> Curves:
        self.curves_asked.append((start, end))
        if trouble := self.trouble or self.speechless:
            raise trouble
        days = [day for day in calendar.sessions(start, end) if day not in self.without_curve]
        sessions = np.array(days, "datetime64[D]")
        curves = np.empty(len(sessions), CURVE)
        curves["session"] = sessions
        slope = np.arange(len(TENORS)) * 0.001
        curves["rates"] = 0.02 + slope + (sessions.astype(int) % 100)[:, None] / 10_000
        curves["rates"] += int(self.model_version) / 1_000
        return curves

    async def benchmark(self, session: date) -> Benchmark | None:
        self.benchmarks_asked.append(session)
        if trouble := self.trouble or self.speechless:
            raise trouble
        if not self.weighs:
            return None
        technology = session.day / 100
        return Benchmark("SP500", session, {"Technology": technology, "Energy": 1 - technology})

    async def chain(self, underlying: str, session: date) -> Mapping[Contract, Snapshot]:
        self.chains_asked.append((underlying, session))
        if self.trouble:
            raise self.trouble
        if underlying not in self.listed:
            return {}
        expiry = session + timedelta(days=60)
        contracts = [
            Contract(underlying, expiry, right, Decimal(strike))
            for strike in (110, 90, 100)
            for right in RIGHTS
        ]
        return {contract: self.said(contract.symbol, session) for contract in contracts}

    def asked(self) -> int:
        """Return how often it was asked for anything."""
        of_symbols = len(self.profiles_asked) + len(self.bars_asked) + len(self.snapshots_asked)
        of_all = len(self.curves_asked) + len(self.benchmarks_asked)
        return of_symbols + of_all + len(self.chains_asked)

    def history(self, symbol: str, start: date, end: date) -> History:
        last = min(end, self.delisted.get(symbol, end))
        sessions = np.array(calendar.sessions(start, last), "datetime64[D]")
        history = np.empty(len(sessions), BAR)
        history["session"] = sessions
        close = 100 + sessions.astype(int) % 50 + sum(symbol.encode()) / 7
        history["close"] = close * (1 + int(self.model_version) / 100)
        history["open"] = history["close"] - 0.25
        history["high"] = history["close"] + 1.5
        history["low"] = history["close"] - 1.125
        history["volume"] = sessions.astype(int) * 3_000_000_000
        history["split_ratio"] = np.where(sessions.astype(int) % 100 == 0, 2.0, 1.0)
        history["dividend"] = np.where(sessions.astype(int) % 63 == 0, 0.31, 0.0)
        return history


def position(symbol: str, **changes: Any) -> BookPosition:
    """An open position of a hundred shares."""
    fields: dict[str, Any] = {
        "position_id": uuid4(),
        "symbol": symbol,
        "position_type": "LONG",
        "investment_class": "PUBLIC",
        "quantity": Decimal(100),
        "entry_price": Decimal(10),
        "entry_date": date(2025, 1, 2),
    }
    return BookPosition(**{**fields, **changes})


def option(symbol: str, underlying: str | None, **changes: Any) -> BookPosition:
    """An open call."""
    terms = {
        "position_type": "LC",
        "investment_class": "OPTIONS",
        "underlying_symbol": underlying,
        "strike_price": Decimal(100),
        "expiration_date": date(2029, 1, 19),
    }
    return position(symbol, **{**terms, **changes})


def private(symbol: str) -> BookPosition:
    """An asset without a market."""
    return position(symbol, investment_class="PRIVATE")


def closed(symbol: str, on: date = date(2025, 6, 2)) -> BookPosition:
    """A position that was sold."""
    return position(symbol, exit_date=on, exit_price=Decimal(12))


def book(
    positions: Iterable[BookPosition | str] | None,
    *,
    portfolio_id: UUID | None = None,
    revision: int = 1,
    user_id: UUID | None = None,
) -> Book:
    """A book of these positions; a bare symbol is a hundred shares of it."""
    return Book(
        portfolio_id=portfolio_id or uuid4(),
        revision=revision,
        user_id=user_id or uuid4(),
        name="Demo",
        equity_balance=Decimal(100_000),
        opening_session=FRIDAY,
        created_at=AFTER_MONDAY,
        positions=None
        if positions is None
        else tuple(position(held) if isinstance(held, str) else held for held in positions),
    )
