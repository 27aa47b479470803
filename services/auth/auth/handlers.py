"""What auth does when portfolios come and go: it remembers whose they are, for `/auth/me`."""

from auth.repository import Store
from common.events.onboarding import PortfolioCreated, PortfolioDeleted
from common.service import Subscriptions
from common.unit_of_work import Unit


async def remember_portfolio(event: PortfolioCreated, store: Store, unit: Unit) -> None:
    """Note the owner of a new portfolio."""
    book = event.book
    await store.note_portfolio(
        book.portfolio_id, book.user_id, book.revision, book.created_at, deleted=False
    )


async def forget_portfolio(event: PortfolioDeleted, store: Store, unit: Unit) -> None:
    """Leave a tombstone, so that older news of the portfolio is refused."""
    await store.note_portfolio(
        event.portfolio_id, event.user_id, event.revision, unit.now, deleted=True
    )


SUBSCRIPTIONS: Subscriptions = (
    (PortfolioCreated, remember_portfolio),
    (PortfolioDeleted, forget_portfolio),
)
