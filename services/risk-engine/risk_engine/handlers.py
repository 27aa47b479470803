"""What the risk engine does when books change and prices come: it decides what to calculate.

The calculation itself is work for `jobs`.
"""

from collections.abc import Sequence
from datetime import date
from typing import Literal
from uuid import UUID

import structlog
from pydantic import BaseModel

from common.events.marketdata import PricesIncomplete, PricesReady
from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.risk_engine import CalculationFailed
from common.service import Subscriptions
from common.unit_of_work import Unit
from risk_engine.repository import Standing, Store, Waiting

log = structlog.get_logger()

CALCULATE = "calculate"
SUPERSEDED = "superseded"


class Item(BaseModel, frozen=True):
    """A portfolio to calculate, at the revision its prices were prepared for."""

    portfolio_id: UUID
    revision: int


class Chunk(BaseModel, frozen=True):
    """Work: portfolios to calculate together from one panel."""

    as_of: date
    panel_version: int
    items: tuple[Item, ...]


async def follow_book(event: PortfolioCreated | PortfolioChanged, store: Store, unit: Unit) -> None:
    """Take a newer revision over, and let go on what waited for it."""
    book = event.book
    await store.books.lock([book.portfolio_id])
    if not await store.books.apply(book):
        log.info("old_book_ignored", portfolio_id=str(book.portfolio_id), revision=book.revision)
        return
    standing = Standing(book.user_id, book.revision, deleted=False)
    await _release(book.portfolio_id, standing, store, unit)


async def forget_portfolio(event: PortfolioDeleted, store: Store, unit: Unit) -> None:
    """Leave a tombstone, and nothing of what was known or waited."""
    await store.books.lock([event.portfolio_id])
    if not await store.books.bury(event.portfolio_id, event.user_id, event.revision):
        return
    await store.results.forget(event.portfolio_id)
    standing = Standing(event.user_id, event.revision, deleted=True)
    await _release(event.portfolio_id, standing, store, unit)


async def calculate_portfolios(
    event: PricesReady | PricesIncomplete, store: Store, unit: Unit
) -> None:
    """Calculate the portfolios whose replica is at the revision that was priced.

    Prices of a revision yet to come wait for it; those of an older one have been superseded.
    """
    items = [Item(portfolio_id=item.portfolio_id, revision=item.revision) for item in event.items]
    ids = [item.portfolio_id for item in items]
    await store.books.lock(ids)
    standings = await store.books.standings(ids)
    verdicts = [verdict(item.revision, standings.get(item.portfolio_id)) for item in items]

    early = _with("early", items, verdicts)
    if early:
        await store.books.wait(
            [
                Waiting(
                    item.portfolio_id, item.revision, event.as_of, event.panel_version, unit.cause
                )
                for item in early
            ]
        )
    for item in _with("superseded", items, verdicts):
        supersede(item, event.as_of, standings.get(item.portfolio_id), unit)
    current = _with("current", items, verdicts)
    if current:
        _enqueue(current, event.as_of, event.panel_version, unit)


Verdict = Literal["early", "current", "superseded"]


def verdict(revision: int, standing: Standing | None) -> Verdict:
    """Say how a priced revision relates to the replica's; none has not been heard of."""
    if standing is None:
        return "early"
    if standing.deleted or revision < standing.revision:
        return "superseded"
    return "current" if revision == standing.revision else "early"


def supersede(
    item: Item, as_of: date, standing: Standing | None, unit: Unit, *, run_id: UUID | None = None
) -> None:
    """Announce that a calculation was left undone because its result would be out of date."""
    if standing is None or standing.revision == item.revision:
        message = "Newer data took the place of this calculation."
    elif standing.deleted:
        message = "The portfolio was deleted."
    else:
        message = f"Revision {standing.revision} of the book took the place of {item.revision}."
    unit.publish(
        CalculationFailed(
            portfolio_id=item.portfolio_id,
            revision=item.revision,
            as_of=as_of,
            reason=SUPERSEDED,
            message=message,
        ),
        user_id=standing.user_id if standing is not None else None,
        run_id=run_id,
    )


async def _release(portfolio_id: UUID, standing: Standing, store: Store, unit: Unit) -> None:
    for waiting in await store.books.release(portfolio_id, standing.revision):
        item = Item(portfolio_id=portfolio_id, revision=waiting.revision)
        # The run is the one that asked for the prices, not the book's.
        run_id = waiting.cause.run_id
        if verdict(waiting.revision, standing) == "current":
            _enqueue([item], waiting.as_of, waiting.panel_version, unit, run_id=run_id)
        else:
            supersede(item, waiting.as_of, standing, unit, run_id=run_id)


def _enqueue(
    items: Sequence[Item],
    as_of: date,
    panel_version: int,
    unit: Unit,
    *,
    run_id: UUID | None = None,
) -> None:
    chunk = Chunk(as_of=as_of, panel_version=panel_version, items=tuple(items))
    unit.enqueue(CALCULATE, chunk, run_id=run_id)


def _with(wanted: Verdict, items: Sequence[Item], verdicts: Sequence[Verdict]) -> Sequence[Item]:
    return [item for item, found in zip(items, verdicts, strict=True) if found == wanted]


SUBSCRIPTIONS: Subscriptions = (
    (PortfolioCreated, follow_book),
    (PortfolioChanged, follow_book),
    (PortfolioDeleted, forget_portfolio),
    (PricesReady, calculate_portfolios),
    (PricesIncomplete, calculate_portfolios),
)
