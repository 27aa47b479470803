"""Calculate a chunk of portfolios: fetch what is needed, compute in the pool, store, announce."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

import structlog

from common import calendar
from common.bus import Bus
from common.events import Envelope
from common.events.risk_engine import CalculationFailed, CalculationProgressed, RiskCalculated
from common.metrics import Metric
from common.telemetry import current_traceparent, past_step, publishing, step
from common.unit_of_work import Unit, UnitOfWork
from common.work import Finish, Job, Work
from risk_engine.clients import Onboarding, PanelGone, Panels
from risk_engine.domain import (
    DEFAULT_LIMITS,
    ENGINES,
    ConvexityLimits,
    Failure,
    Market,
    ScenarioSet,
)
from risk_engine.engine.chunk import Calculated, StoredBook
from risk_engine.handlers import CALCULATE, Chunk, Item, supersede, verdict
from risk_engine.jobs.pool import Pool
from risk_engine.jobs.stopwatch import calculate_in_time, seconds_by_part
from risk_engine.repository import EVERY_ENGINE, Standing, Store

log = structlog.get_logger()

Ending = Literal["calculated", "failed", "superseded"]

HISTORY_SESSIONS = 780
"""How far back the sessions of an account are read: as far as a panel goes."""

Answers = Mapping[UUID, Calculated | Failure]
"""What came out, by portfolio; none for a book that has moved on meanwhile."""


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

    async def run(self, work: Work, finish: Finish) -> None:
        """Calculate a chunk; each of its items ends as calculated, failed or superseded."""
        started = time.perf_counter()
        chunk = Chunk.model_validate(work.payload)
        books = await self._books(chunk)
        answers = await self._answers(chunk, books, work)
        with step("store results"):
            async with finish() as unit:
                ended = await conclude(chunk, answers, Store(unit), unit)
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
        self._count(await conclude(chunk, answers, Store(unit), unit))

    def _count(self, ended: Counter[Ending]) -> None:
        for outcome, portfolios in ended.items():
            self.unit_of_work.telemetry.metrics.count(
                Metric.CONCLUSIONS_TOTAL, portfolios, outcome=outcome
            )

    async def _books(self, chunk: Chunk) -> Sequence[StoredBook]:
        """Return the books that still are at the chunk's revisions, with all their positions."""
        revisions = {item.portfolio_id: item.revision for item in chunk.items}
        async with self.unit_of_work.begin() as unit:
            store = Store(unit)
            lacking = await store.books.without_positions(revisions)
            stored = await store.books.stored(revisions)
            histories = await store.histories.of(
                revisions, calendar.session_back(chunk.as_of, HISTORY_SESSIONS), chunk.as_of
            )
        if lacking:
            stored = [*stored, *await self._fetch(lacking)]
        return [
            replace(book, history=histories.get(book.portfolio_id))
            for book in stored
            if book.revision == revisions[book.portfolio_id]
        ]

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
                market = replace(market, scenarios=self.scenarios, limits=self.limits)
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


async def conclude(chunk: Chunk, answers: Answers, store: Store, unit: Unit) -> Counter[Ending]:
    """Store what is still current, announce how each item ended; return how many ended how."""
    ids = [item.portfolio_id for item in chunk.items]
    await store.books.lock(ids)
    standings = await store.books.standings(ids)
    calculated: list[Calculated] = []
    failed: dict[UUID, tuple[int, Failure]] = {}
    for item in chunk.items:
        answer = answers.get(item.portfolio_id)
        if verdict(item.revision, standings.get(item.portfolio_id)) != "current":
            continue
        if isinstance(answer, Calculated):
            calculated.append(answer)
        elif answer is not None:
            failed[item.portfolio_id] = (item.revision, answer)
    stored = await store.results.save(calculated, chunk.as_of, chunk.panel_version, unit.now)
    await store.results.save_failures(
        {(portfolio_id, EVERY_ENGINE): why for portfolio_id, why in failed.items()},
        chunk.as_of,
        chunk.panel_version,
        unit.now,
    )

    by_portfolio = {one.portfolio_id: one for one in calculated if one.portfolio_id in stored}
    ended: Counter[Ending] = Counter()
    for item in chunk.items:
        standing = standings.get(item.portfolio_id)
        if standing is not None and item.portfolio_id in by_portfolio:
            ended["calculated"] += 1
            _announce_result(by_portfolio[item.portfolio_id], standing, chunk, unit)
        elif standing is not None and item.portfolio_id in failed:
            ended["failed"] += 1
            _announce_failure(item, failed[item.portfolio_id][1], standing, chunk, unit)
        else:
            ended["superseded"] += 1
            supersede(item, chunk.as_of, standing, unit)
    return ended


def _announce_result(one: Calculated, standing: Standing, chunk: Chunk, unit: Unit) -> None:
    unit.publish(
        RiskCalculated(
            portfolio_id=one.portfolio_id,
            revision=one.revision,
            as_of=chunk.as_of,
            panel_version=chunk.panel_version,
            status=one.status,
            engines={name: result.status for name, result in one.results.items()},
            failed={name: failure.reason for name, failure in one.failed.items()},
            net_asset_value=round(one.net_asset_value, 2),
        ),
        user_id=standing.user_id,
    )


def _announce_failure(
    item: Item, failure: Failure, standing: Standing, chunk: Chunk, unit: Unit
) -> None:
    unit.publish(
        CalculationFailed(
            portfolio_id=item.portfolio_id,
            revision=item.revision,
            as_of=chunk.as_of,
            reason=failure.reason,
            message=failure.message,
        ),
        user_id=standing.user_id,
    )
