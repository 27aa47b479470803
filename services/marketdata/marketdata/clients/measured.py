"""A provider whose answers are measured: how long they took, and for how many symbols they came."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Literal, TypeVar

from common.errors import Unavailable
from common.metrics import Metric, Metrics
from common.options import Contract
from common.telemetry import step
from marketdata.domain import Benchmark, Curves, History, Profile, Provider, Snapshot, Source

T = TypeVar("T")

Operation = Literal["profiles", "bars", "snapshots", "curves", "benchmark", "chain"]


class MeasuredProvider:
    """Asks another provider, and notes what came of it."""

    def __init__(self, provider: Provider, metrics: Metrics) -> None:
        self._provider = provider
        self._metrics = metrics

    @property
    def source(self) -> Source:
        """Return the other's name and model version."""
        return self._provider.source

    @property
    def cross_section(self) -> frozenset[str]:
        """Return the other's list of shares."""
        return self._provider.cross_section

    async def profiles(self, symbols: Sequence[str]) -> Mapping[str, Profile]:
        """Return the other's profiles."""
        return await self._of_each("profiles", symbols, self._provider.profiles(symbols))

    async def bars(self, symbols: Sequence[str], start: date, end: date) -> Mapping[str, History]:
        """Return the other's bars."""
        return await self._of_each("bars", symbols, self._provider.bars(symbols, start, end))

    async def snapshots(self, symbols: Sequence[str], session: date) -> Mapping[str, Snapshot]:
        """Return the other's snapshots."""
        answer = self._provider.snapshots(symbols, session)
        return await self._of_each("snapshots", symbols, answer)

    async def curves(self, start: date, end: date) -> Curves:
        """Return the other's curves."""
        return await self._asked("curves", 0, self._provider.curves(start, end), lambda _: 0)

    async def benchmark(self, session: date) -> Benchmark | None:
        """Return the other's benchmark."""
        return await self._asked("benchmark", 0, self._provider.benchmark(session), lambda _: 0)

    async def chain(self, underlying: str, session: date) -> Mapping[Contract, Snapshot]:
        """Return the other's chain."""
        answer = self._provider.chain(underlying, session)
        return await self._asked("chain", 1, answer, lambda found: int(bool(found)))

    async def _of_each(
        self, operation: Operation, symbols: Sequence[str], answer: Awaitable[Mapping[str, T]]
    ) -> Mapping[str, T]:
        def known(found: Mapping[str, T]) -> int:
            return sum(symbol in found for symbol in symbols)

        return await self._asked(operation, len(symbols), answer, known)

    async def _asked(
        self, operation: Operation, symbols: int, answer: Awaitable[T], known: Callable[[T], int]
    ) -> T:
        started, outcome, found = time.perf_counter(), "failed", 0
        about = {"sigmasight.symbols": symbols}
        try:
            with step(f"{operation} of {self.source.provider}", "client", about):
                answered = await answer
            outcome, found = "ok", known(answered)
        except Unavailable:
            outcome = "unavailable"
            raise
        finally:
            self._note(operation, outcome, time.perf_counter() - started)
            self._count(operation, outcome, found)
            self._count(operation, "unknown" if outcome == "ok" else outcome, symbols - found)
        return answered

    def _note(self, operation: Operation, outcome: str, seconds: float) -> None:
        self._metrics.observe(
            Metric.PROVIDER_SECONDS,
            seconds,
            provider=self.source.provider,
            operation=operation,
            outcome=outcome,
        )

    def _count(self, operation: Operation, outcome: str, symbols: int) -> None:
        if symbols:
            self._metrics.count(
                Metric.PROVIDER_SYMBOLS_TOTAL,
                symbols,
                provider=self.source.provider,
                operation=operation,
                outcome=outcome,
            )
