"""What the gateway does when something happens: it writes down who is to see what.

A delivery only appends to the log; streams read it from there, at every replica.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog
from pydantic import BaseModel

from common.events import Event
from common.events.auth import SessionRevoked
from common.events.chat import InsightGenerated
from common.events.marketdata import PricesIncomplete, PricesReady, SecuritiesEnriched
from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.risk_engine import CalculationFailed, CalculationProgressed, RiskCalculated
from common.events.scheduler import RunCompleted, RunRequested
from common.service import Subscriptions
from common.unit_of_work import Unit
from gateway.domain.news import News, news_of
from gateway.repository import Store

log = structlog.get_logger()

DELIVER_NEWS = "deliver_news"
"""Work: ask onboarding whose portfolio it is, then append."""


class UndeliveredNews(BaseModel, frozen=True):
    """News about a portfolio that nobody has told this service of yet."""

    portfolio_id: UUID
    news: tuple[News, ...]


async def show(event: Event, store: Store, unit: Unit) -> None:
    """Append what an event says to the logs of those it concerns."""
    news = news_of(event)
    owners = await store.owners({item.portfolio_id for item in news if item.portfolio_id})
    addressed: list[tuple[UUID, News]] = []
    unknown: dict[UUID, list[News]] = {}
    for item in news:
        owner = owners.get(item.portfolio_id) if item.portfolio_id else None
        if owner is not None:
            if not owner.deleted:
                addressed.append((owner.user_id, item))
        elif unit.cause.user_id is not None:
            addressed.append((unit.cause.user_id, item))
        elif item.portfolio_id is not None:
            unknown.setdefault(item.portfolio_id, []).append(item)
    await store.log.append(addressed)
    for portfolio_id, items in unknown.items():
        unit.enqueue(DELIVER_NEWS, UndeliveredNews(portfolio_id=portfolio_id, news=tuple(items)))


async def show_portfolio(
    event: PortfolioCreated | PortfolioChanged, store: Store, unit: Unit
) -> None:
    """Remember whose portfolio it is, and show it to them."""
    book = event.book
    await store.note_owner(book.portfolio_id, book.user_id, book.revision)
    await show(event, store, unit)


async def bury_portfolio(event: PortfolioDeleted, store: Store, _unit: Unit) -> None:
    """Show that a portfolio is gone; nothing is shown of it afterwards."""
    await store.log.append(_addressed(event.user_id, news_of(event)))
    await store.bury(event.portfolio_id, event.user_id, event.revision)


async def revoke_session(event: SessionRevoked, store: Store, _unit: Unit) -> None:
    """Refuse the session's tokens at every replica."""
    await store.revoke(event.session_id, event.expires_at)
    log.info("session_revoked", session_id=str(event.session_id))


def _addressed(user_id: UUID, news: Sequence[News]) -> list[tuple[UUID, News]]:
    return [(user_id, item) for item in news]


SUBSCRIPTIONS: Subscriptions = (
    (PortfolioCreated, show_portfolio),
    (PortfolioChanged, show_portfolio),
    (PortfolioDeleted, bury_portfolio),
    (SecuritiesEnriched, show),
    (PricesReady, show),
    (PricesIncomplete, show),
    (RiskCalculated, show),
    (CalculationFailed, show),
    (CalculationProgressed, show),
    (RunRequested, show),
    (RunCompleted, show),
    (InsightGenerated, show),
    (SessionRevoked, revoke_session),
)
