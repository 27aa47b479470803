"""Portfolios come, change and go."""

from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.unit_of_work import Unit
from scheduler.domain import Portfolio
from scheduler.handlers.lifecycle import end_runs, join_flow, learn
from scheduler.repository import Store


async def follow_book(event: PortfolioCreated | PortfolioChanged, store: Store, unit: Unit) -> None:
    """Keep the portfolio's newest revision; open the import that brought it.

    Items at an older revision stay open: marketdata and risk-engine know of the new one too, and
    what they say of the portfolio next ends them: its results, or in their own run `superseded`.
    """
    book = event.book
    await store.portfolios.keep(Portfolio(book.portfolio_id, book.user_id, book.revision))
    run = await join_flow(store, unit, {book.portfolio_id: book.revision})
    await learn(store, unit, run, as_of=None)


async def forget_portfolio(event: PortfolioDeleted, store: Store, unit: Unit) -> None:
    """Leave a tombstone and end the portfolio's items: nothing will come of them."""
    await store.portfolios.keep(
        Portfolio(event.portfolio_id, event.user_id, event.revision, deleted=True)
    )
    await store.runs.lock_waiting_for(event.portfolio_id)
    runs = await store.items.end_deleted(event.portfolio_id, event.revision, unit.now)
    await end_runs(store, unit, runs)
