"""Calculate a chunk of portfolios: fetch what is needed, compute in the pool, store, announce."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from common.bus import Bus
from common.events import Envelope
from common.events.risk_engine import CalculationProgressed
from common.metrics import Metric
from common.telemetry import current_traceparent, past_step, publishing, step
from common.unit_of_work import Unit, UnitOfWork
from common.work import Finish, Job, Work
from risk_engine.clients import Onboarding, PanelGone, Panels
from risk_engine.clients.earlier import earlier_than
from risk_engine.domain import (
    DEFAULT_LIMITS,
    ENGINES,
    ConvexityLimits,
    Failure,
    Market,
    ScenarioSet,
)
from risk_engine.engine.chunk import Calculated, StoredBook
from risk_engine.handlers import CALCULATE, Chunk
from risk_engine.jobs.conclusion import Answers, Ending, States, conclude, history_start
from risk_engine.jobs.pool import Pool
from risk_engine.jobs.stopwatch import calculate_in_time, seconds_by_part
from risk_engine.repository import EVERY_ENGINE, KEPT, Store

log = structlog.get_logger()


def jobs(calculator: "Calculator") -> Mapping[str, Job]:
    """Return the kinds of work the risk engine does."""
    return {CALCULATE: Job(calculator.run, calculator.give_up, split)}


def split(work: Work) -> Sequence[Chunk]:
    """Return a chunk for every portfolio of one that has several."""
    chunk = Chunk.model_validate(work.payload)
    if len(chunk.items) == 1:
        return ()
    return [chunk.model_copy(update={"items": (item,)}) for item in chunk.items]


@dataclass(frozen=True)
class Calculator:
    """Calculates chunks with what the service has."""

    unit_of_work: UnitOfWork
    bus: Bus
    pool: Pool
    panels: Panels
    onboarding: Onboarding
    scenarios: ScenarioSet | None = None
    """What is stressed; None for the scenarios that come with the program."""
    limits: ConvexityLimits = DEFAULT_LIMITS
    kept: int = KEPT
    """Sessions of results kept for each portfolio."""

    async def run(self, work: Work, finish: Finish) -> None:
        """Calculate a chunk; each of its items ends as calculated, failed or superseded.

        Or it is repeated: when its history changed meanwhile, it is another one's.
        """
        started = time.perf_counter()
        chunk = Chunk.model_validate(work.payload)
        books, states = await self._books(chunk)
        answers = await self._answers(chunk, books, work)
        with step("store results"):
            async with finish() as unit:
                ended = await conclude(chunk, answers, states, Store(unit), unit, kept=self.kept)
        self._count(ended)
        log.info(
            "chunk_calculated",
            items=len(chunk.items),
            failed=sum(isinstance(answer, Failure) for answer in answers.values()),
            milliseconds=round(1000 * (time.perf_counter() - started), 1),
        )

    async def give_up(self, work: Work, _reason: str, unit: Unit) -> None:
        """Announce that the chunk's items failed; the reason stays with the dead letter."""
        chunk = Chunk.model_validate(work.payload)
        failure = Failure("given_up", "The calculation was given up after repeated failures.")
        answers = {item.portfolio_id: failure for item in chunk.items}
        self._count(await conclude(chunk, answers, {}, Store(unit), unit, kept=self.kept))

    def _count(self, ended: Counter[Ending]) -> None:
        for outcome, portfolios in ended.items():
            self.unit_of_work.telemetry.metrics.count(
                Metric.CONCLUSIONS_TOTAL, portfolios, outcome=outcome
            )

    async def _books(self, chunk: Chunk) -> tuple[Sequence[StoredBook], States]:
        """Return the books that still are at the chunk's revisions, with all their positions.

        And the states of their histories, as they were read.
        """
        revisions = {item.portfolio_id: item.revision for item in chunk.items}
        async with self.unit_of_work.begin() as unit:
            store = Store(unit)
            lacking = await store.books.without_positions(revisions)
            stored = await store.books.stored(revisions)
            start = history_start(chunk.as_of)
            histories, states = await store.histories.of(revisions, start, chunk.as_of)
        if lacking:
            stored = [*stored, *await self._fetch(lacking)]
        books = [
            replace(book, history=histories.get(book.portfolio_id))
            for book in stored
            if book.revision == revisions[book.portfolio_id]
        ]
        return books, states

    async def _fetch(self, revisions: Mapping[UUID, int]) -> Sequence[StoredBook]:
        for portfolio_id, revision in revisions.items():
            book = await self.onboarding.book(portfolio_id, revision)
            if book is not None:
                async with self.unit_of_work.begin() as unit:
                    await Store(unit).books.add_positions(book)
        async with self.unit_of_work.begin() as unit:
            return await Store(unit).books.stored(revisions)

    async def _answers(self, chunk: Chunk, books: Sequence[StoredBook], work: Work) -> Answers:
        if not books:
            return {}
        symbols = {symbol for book in books for symbol in book.symbols}
        try:
            with step("fetch panel", attributes={"sigmasight.symbols": len(symbols)}):
                market = await self.panels.market(chunk.as_of, chunk.panel_version, sorted(symbols))
                asked = earlier_than(
                    market.prices, [(book.opening_session, book.symbols) for book in books]
                )
                market = replace(
                    market,
                    earlier=None if asked is None else await self.panels.earlier(market, asked),
                    scenarios=self.scenarios,
                    limits=self.limits,
                )
        except PanelGone as gone:
            return dict.fromkeys(
                (book.portfolio_id for book in books), Failure("panel_gone", str(gone))
            )
        answers, _ = await asyncio.gather(
            self._calculated(books, market), self._announce_start(books, work)
        )
        return {book.portfolio_id: answer for book, answer in zip(books, answers, strict=True)}

    async def _calculated(
        self, books: Sequence[StoredBook], market: Market
    ) -> Sequence[Calculated | Failure]:
        metrics = self.unit_of_work.telemetry.metrics
        with step("calculate", attributes={"sigmasight.books": len(books)}):
            answers, spans = await self.pool.run(calculate_in_time, books, market)
            for name, began, ended in spans:
                past_step(name, began, ended)
        for name, seconds in seconds_by_part(spans).items():
            metrics.observe(Metric.CALCULATION_SECONDS, seconds, engine=name)
        metrics.observe(Metric.CHUNK_BOOKS, len(books))
        _log_faults(books, answers)
        return answers

    async def _announce_start(self, books: Sequence[StoredBook], work: Work) -> None:
        try:
            await self._publish_start(books, work)
        except Exception as error:  # noqa: BLE001 - the calculation does not depend on it
            # Progress is news only while it lasts: it is not worth an outbox.
            log.info("progress_not_announced", reason=repr(error))

    async def _publish_start(self, books: Sequence[StoredBook], work: Work) -> None:
        envelopes = [
            Envelope.of(
                CalculationProgressed(
                    portfolio_id=book.portfolio_id, stage=ENGINES[0], done=0, total=len(ENGINES)
                ),
                producer=self.unit_of_work.producer,
                occurred_at=self.unit_of_work.clock(),
                run_id=work.cause.run_id,
                causation_id=work.cause.causation_id,
                user_id=book.user_id,
                traceparent=current_traceparent(),
            )
            for book in books
        ]
        with publishing(self.unit_of_work.telemetry.tracer, envelopes) as outgoing:
            await self.bus.publish(outgoing)


def _log_faults(books: Sequence[StoredBook], answers: Sequence[Calculated | Failure]) -> None:
    for book, answer in zip(books, answers, strict=True):
        failed = {EVERY_ENGINE: answer} if isinstance(answer, Failure) else answer.failed
        for engine, failure in failed.items():
            if failure.trace is not None:
                log.error(
                    "engine_broken",
                    engine=engine,
                    portfolio_id=str(book.portfolio_id),
                    reason=failure.message,
                    stack=failure.trace,
                )
