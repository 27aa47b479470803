"""A provider whose answers are measured: how long they took, and for how many symbols they came."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import date
from typing import Literal, TypeVar

from common.errors import Unavailable
from common.metrics import Metric, Metrics
from common.telemetry import step
from marketdata.domain import History, Profile, Provider, Source

T = TypeVar("T")

Operation = Literal["profiles", "bars"]


class MeasuredProvider:
    """Asks another provider, and notes what came of it."""

    def __init__(self, provider: Provider, metrics: Metrics) -> None:
        self._provider = provider
        self._metrics = metrics

    @property
    def source(self) -> Source:
        """Return the other's name and model version."""
        return self._provider.source

    async def profiles(self, symbols: Sequence[str]) -> Mapping[str, Profile]:
        """Return the other's profiles."""
        return await self._asked("profiles", symbols, self._provider.profiles(symbols))

    async def bars(self, symbols: Sequence[str], start: date, end: date) -> Mapping[str, History]:
        """Return the other's bars."""
        return await self._asked("bars", symbols, self._provider.bars(symbols, start, end))

    async def _asked(
        self, operation: Operation, symbols: Sequence[str], answer: Awaitable[Mapping[str, T]]
    ) -> Mapping[str, T]:
        started, outcome = time.perf_counter(), "failed"
        known = 0
        about = {"sigmasight.symbols": len(symbols)}
        try:
            with step(f"{operation} of {self.source.provider}", "client", about):
                found = await answer
            outcome, known = "ok", sum(symbol in found for symbol in symbols)
        except Unavailable:
            outcome = "unavailable"
            raise
        finally:
            self._note(operation, outcome, time.perf_counter() - started)
            self._count(operation, outcome, known)
            lacking = len(symbols) - known
            self._count(operation, "unknown" if outcome == "ok" else outcome, lacking)
        return found

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
