"""What marketdata does when books change and when a run wants prices.

It notes what is held and leaves the fetching of prices to `jobs`.
"""

from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.scheduler import RequestedItem, RunRequested
from common.service import Subscriptions
from common.unit_of_work import Unit
from marketdata.domain import PREPARE, Holding, Preparation, holding_of, priced_session
from marketdata.repository import Holdings


async def prepare_book(
    event: PortfolioCreated | PortfolioChanged, store: Holdings, unit: Unit
) -> None:
    """Keep what the book holds, unless something newer is known, and have it priced."""
    holding = holding_of(event.book)
    await store.keep([holding])
    item = RequestedItem(portfolio_id=holding.portfolio_id, revision=holding.revision)
    preparation = Preparation(opened=event.book.opening_session, items=(item,))
    unit.enqueue(PREPARE, preparation, user_id=holding.user_id)


async def forget_book(event: PortfolioDeleted, store: Holdings, unit: Unit) -> None:
    """Leave a tombstone, so that older news of the portfolio is refused."""
    await store.keep(
        [Holding(event.portfolio_id, event.revision, event.user_id, symbols=(), deleted=True)]
    )


async def prepare_run(event: RunRequested, store: Holdings, unit: Unit) -> None:
    """Have a run's portfolios priced; ValueError for a session before the calendar begins."""
    as_of = priced_session(event.as_of, unit.now)
    unit.enqueue(PREPARE, Preparation(as_of=as_of, items=event.items))


SUBSCRIPTIONS: Subscriptions = (
    (PortfolioCreated, prepare_book),
    (PortfolioChanged, prepare_book),
    (PortfolioDeleted, forget_book),
    (RunRequested, prepare_run),
)
