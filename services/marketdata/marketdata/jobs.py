"""Making prices ready: what is asked of the provider, stored, published and announced.

What is stored before `finish` goes in by small transactions that show nobody anything, so a row
that is worked on twice, at once or again, comes to the same end.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

import numpy as np
import structlog

from common.errors import Refused, Unavailable
from common.events.marketdata import (
    ITEMS_IN_EVENT,
    PricedItem,
    PricesIncomplete,
    PricesReady,
    SecuritiesEnriched,
)
from common.events.scheduler import RequestedItem
from common.options import Contract
from common.unit_of_work import Cause, Unit, UnitOfWork
from common.work import Finish, Job, Work
from marketdata.clients.onboarding import Onboarding
from marketdata.domain import (
    BAR,
    PREPARE,
    REFERENCE,
    Column,
    Edition,
    Holding,
    Plan,
    Preparation,
    Provider,
    Snapshot,
    Span,
    contracts_of,
    cover,
    edition_of,
    holding_of,
    is_ready,
    priced_session,
    symbols_of,
    what_is_lacking,
)
from marketdata.repository import Columns, Holdings, Panels, Snapshots, bar_rows

log = structlog.get_logger()

COLUMNS_AT_ONCE = 100
"""Of 780 bars each: 10 MB on their way to Postgres, and a kill loses that much work."""
SNAPSHOTS_AT_ONCE = 1_000
WAITS_FOR_WORDS = 3
"""Attempts, some ten seconds, for which quotes and rates that cannot be had hold up prices."""
BOOKS_AT_ONCE = 8
_NO_BARS = np.empty(0, BAR)


@dataclass(frozen=True)
class Books:
    """The holdings behind a preparation's items."""

    holdings: tuple[Holding, ...]
    unreachable: tuple[RequestedItem, ...] = ()
    trouble: Unavailable | Refused | None = None
    """Why they are: refused only when all of them were, for then no waiting helps."""


@dataclass(frozen=True)
class Preparations:
    """Does `prepare` work."""

    unit_of_work: UnitOfWork
    provider: Provider
    onboarding: Onboarding
    coverage_threshold: float
    history_sessions: int
    reference_sessions: int

    def jobs(self) -> Mapping[str, Job]:
        """Return what the worker runs."""
        return {PREPARE: Job(self.prepare, self.announce_what_there_is)}

    async def prepare(self, work: Work, finish: Finish) -> None:
        """Load what the books lack, publish a panel if something changed, announce coverage.

        Books that nobody gives become work of their own: they hold up no other.
        """
        asked = Preparation.model_validate(work.payload)
        edition = self._edition(asked.as_of)
        if asked.opened is not None and edition.as_of < asked.opened:
            # Onboarding's clock is ahead of this one: a second later the session has closed here.
            raise Unavailable(f"the session of {asked.opened} has not closed yet")
        books = await self._books(asked.items)
        if books.trouble is not None and not books.holdings:
            raise books.trouble
        if books.holdings:
            await self._load(books.holdings, edition, work.cause, work.attempts)
        async with finish() as unit:
            await self._announce(unit, edition, books.holdings)
            if books.unreachable:
                rest = asked.model_copy(update={"items": books.unreachable})
                unit.enqueue(PREPARE, rest, expires_at=work.expires_at)

    async def announce_what_there_is(self, work: Work, _reason: str, unit: Unit) -> None:
        """Announce the books as far as they are priced: the flow goes on with what there is."""
        asked = Preparation.model_validate(work.payload)
        known = await Holdings(unit).of([item.portfolio_id for item in asked.items])
        holdings = [
            holding
            for holding in known.values()
            if not holding.deleted and holding.symbols is not None
        ]
        await self._announce(unit, self._edition(asked.as_of), holdings)

    @asynccontextmanager
    async def loading_ahead(self) -> AsyncIterator[None]:
        """Load ahead beside what is done in the block, for as long as that lasts."""
        task = asyncio.create_task(self.load_ahead(), name="load-ahead")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def load_ahead(self) -> None:
        """Load what every panel shows, so that the first book need not wait for it.

        What goes wrong is left to that book's preparation, which does the same.
        """
        try:
            # A trace of its own: it is done for nobody yet.
            with self.unit_of_work.telemetry.tracer.span("load ahead", None):
                await self._load((), self._edition(None), Cause(), WAITS_FOR_WORDS)
        except Unavailable as error:
            log.info("nothing_loaded_ahead", reason=str(error))
        except Exception:
            log.exception("nothing_loaded_ahead")

    def _edition(self, asked: date | None) -> Edition:
        as_of = priced_session(asked, self.unit_of_work.clock())
        return edition_of(
            as_of,
            self.provider.source,
            sessions=self.history_sessions,
            reference=REFERENCE,
            reference_sessions=self.reference_sessions,
            cross_section=self.provider.cross_section,
        )

    async def _books(self, items: Sequence[RequestedItem]) -> Books:
        async with self.unit_of_work.begin() as unit:
            known = await Holdings(unit).of([item.portfolio_id for item in items])
        needed = [item for item in items if not _is_known(item, known)]
        limit = asyncio.Semaphore(BOOKS_AT_ONCE)
        answers = await asyncio.gather(*(self._fetch(item, limit) for item in needed))
        fetched = {answer.portfolio_id: answer for answer in answers if isinstance(answer, Holding)}
        if fetched:
            # Kept at once: should this be given up, what there is of them can be announced.
            async with self.unit_of_work.begin() as unit:
                await Holdings(unit).keep(tuple(fetched.values()))
        unreachable = {
            item: answer
            for item, answer in zip(needed, answers, strict=True)
            if isinstance(answer, Unavailable | Refused)
        }
        # Refusals last, so that one is the first only where there is nothing else.
        troubles = sorted(unreachable.values(), key=lambda error: isinstance(error, Refused))
        asked_again = {item.portfolio_id for item in needed}
        kept = (known[item.portfolio_id] for item in items if item.portfolio_id not in asked_again)
        alive = {holding.portfolio_id: holding for holding in kept if not holding.deleted}
        return Books(
            (*alive.values(), *fetched.values()), tuple(unreachable), next(iter(troubles), None)
        )

    async def _fetch(
        self, item: RequestedItem, limit: asyncio.Semaphore
    ) -> Holding | Unavailable | Refused | None:
        async with limit:
            try:
                book = await self.onboarding.book(item.portfolio_id, item.revision)
            except (Unavailable, Refused) as error:
                return error
        if book is None:
            # Deleted since; onboarding tells everybody else itself.
            log.info("book_gone", portfolio_id=str(item.portfolio_id), revision=item.revision)
            return None
        return holding_of(book)

    async def _load(
        self, holdings: Sequence[Holding], edition: Edition, cause: Cause, attempts: int
    ) -> None:
        symbols = _shown(holdings, edition)
        # Each round moves something forward, here or in another worker; none is left at the end.
        asked: Span | None = None
        while True:
            async with self.unit_of_work.begin() as unit:
                state = await Columns(unit).state(edition, symbols)
            plan = what_is_lacking(symbols, state, edition, self.unit_of_work.clock())
            if plan.curves == asked:
                # The curves that did not come yet are asked for by the next preparation.
                plan = replace(plan, curves=None)
            asked = plan.curves or asked
            if not plan:
                return
            if plan.profiles:
                await self._enrich(plan.profiles, cause)
            for span, columns in plan.bars.items():
                for start in range(0, len(columns), COLUMNS_AT_ONCE):
                    await self._add_bars(edition, span, columns[start : start + COLUMNS_AT_ONCE])
            try:
                await self._add_words(edition, plan)
            except Unavailable as error:
                if attempts < WAITS_FOR_WORDS:
                    raise
                # Prices are worth more than the wait: their panel says nothing beside them.
                log.warning("prices_without_quotes", as_of=str(edition.as_of), reason=str(error))
                if not plan.profiles and not plan.bars:
                    return

    async def _enrich(self, symbols: Sequence[str], cause: Cause) -> None:
        source = self.provider.source
        profiles = await self.provider.profiles(symbols)
        async with self.unit_of_work.begin(cause) as unit:
            added = await Columns(unit).add(source, symbols, profiles, unit.now)
            if _securities(added.known + added.unknown):
                unit.publish(
                    SecuritiesEnriched(
                        symbols=_securities(added.known),
                        unknown=_securities(added.unknown),
                        provider=source.provider,
                    )
                )

    async def _add_bars(self, edition: Edition, span: Span, columns: Sequence[Column]) -> None:
        symbols = [column.symbol for column in columns]
        histories = await self.provider.bars(symbols, span.first, span.last)

        def encode() -> dict[tuple[str, int], bytes]:
            return {
                (column.symbol, column.version): bar_rows.copy_rows(
                    column.symbol, column.version, histories.get(column.symbol, _NO_BARS)
                )
                for column in columns
            }

        rows = await asyncio.to_thread(encode)
        async with self.unit_of_work.begin() as unit:
            await Columns(unit).add_bars(edition, span, rows)
        log.info("bars_loaded", symbols=len(symbols), first=str(span.first), last=str(span.last))

    async def _add_words(self, edition: Edition, plan: Plan) -> None:
        for start in range(0, len(plan.snapshots), SNAPSHOTS_AT_ONCE):
            columns = plan.snapshots[start : start + SNAPSHOTS_AT_ONCE]
            said = await self._said([column.symbol for column in columns], edition.as_of)
            async with self.unit_of_work.begin() as unit:
                await Snapshots(unit).add(columns, edition.as_of, said)
        if plan.curves:
            await self._add_curves(edition, plan.curves)
        if plan.benchmark:
            benchmark = await self.provider.benchmark(edition.as_of)
            async with self.unit_of_work.begin() as unit:
                await Snapshots(unit).add_benchmark(edition, benchmark)

    async def _said(self, symbols: Sequence[str], session: date) -> Mapping[str, Snapshot]:
        """Return what is said of symbols; one that the provider stumbles over costs no other."""
        try:
            return await self.provider.snapshots(symbols, session)
        except Unavailable:
            raise
        except Exception:
            if len(symbols) == 1:
                log.exception("provider_stumbled", symbol=symbols[0], session=str(session))
                return {}
        middle = len(symbols) // 2
        first = await self._said(symbols[:middle], session)
        return {**first, **await self._said(symbols[middle:], session)}

    async def _add_curves(self, edition: Edition, span: Span) -> None:
        curves = await self.provider.curves(span.first, span.last)
        async with self.unit_of_work.begin() as unit:
            await Snapshots(unit).add_curves(edition, span, curves)

    async def _announce(self, unit: Unit, edition: Edition, holdings: Sequence[Holding]) -> None:
        if not holdings:
            return
        version, columns = await Panels(unit).current(edition, _shown(holdings, edition))
        items = [cover(holding, columns, edition.as_of) for holding in holdings]
        ready = [item for item in items if is_ready(item, self.coverage_threshold)]
        incomplete = [item for item in items if not is_ready(item, self.coverage_threshold)]
        _publish(unit, PricesReady, edition, version, ready)
        _publish(unit, PricesIncomplete, edition, version, incomplete)


def _shown(holdings: Sequence[Holding], edition: Edition) -> tuple[str, ...]:
    shown = (edition.cross_section or frozenset()).union(symbols_of(holdings))
    return (*sorted(shown), *contracts_of(holdings, edition.as_of))


def _securities(symbols: Sequence[str]) -> tuple[str, ...]:
    """Return what is not an option: nobody thinks of one as a security that was enriched."""
    return tuple(symbol for symbol in symbols if Contract.parse(symbol) is None)


def _publish(
    unit: Unit,
    contract: type[PricesReady | PricesIncomplete],
    edition: Edition,
    panel_version: int,
    items: Sequence[PricedItem],
) -> None:
    for start in range(0, len(items), ITEMS_IN_EVENT):
        unit.publish(
            contract(
                as_of=edition.as_of,
                panel_version=panel_version,
                provider=edition.source.provider,
                items=tuple(items[start : start + ITEMS_IN_EVENT]),
            )
        )


def _is_known(item: RequestedItem, known: Mapping[UUID, Holding]) -> bool:
    holding = known.get(item.portfolio_id)
    return (
        holding is not None
        and holding.revision >= item.revision
        and (holding.deleted or None not in (holding.symbols, holding.contracts))
    )
