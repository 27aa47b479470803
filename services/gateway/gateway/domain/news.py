"""What of an event is shown to the people it concerns: ids, states and counts, never positions.

An event about many portfolios becomes one piece of news for each, so that nobody learns of
another's. Whose portfolio it is, is not decided here.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property, singledispatch
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json

from common.events import Event
from common.events.chat import InsightGenerated
from common.events.marketdata import PricesIncomplete, PricesReady, SecuritiesEnriched
from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.risk_engine import CalculationFailed, CalculationProgressed, RiskCalculated
from common.events.scheduler import RunCompleted, RunRequested


class News(BaseModel, frozen=True):
    """What an event says about one portfolio, or about a user's affairs at large."""

    name: str
    portfolio_id: UUID | None
    payload: dict[str, Any]


class Logged(BaseModel, frozen=True):
    """A piece of news in its user's log."""

    seq: int
    """Counts the user's events from 1, without gaps."""
    name: str
    portfolio_id: UUID | None
    run_id: UUID | None
    trace_id: str | None
    occurred_at: datetime
    payload: dict[str, Any]

    def shown(self) -> dict[str, Any]:
        """Return what a client sees."""
        return {
            "name": self.name,
            "occurred_at": self.occurred_at,
            "run_id": self.run_id,
            "portfolio_id": self.portfolio_id,
            "trace_id": self.trace_id,
            **self.payload,
        }

    @cached_property
    def shown_json(self) -> str:
        """Return the same as JSON; all streams that show it share one."""
        return to_json(self.shown()).decode()


@singledispatch
def news_of(event: Event) -> Sequence[News]:
    """Return what an event says, portfolio by portfolio."""
    raise TypeError(f"{event.NAME} is not shown to anyone")


@news_of.register
def _(event: PortfolioCreated) -> Sequence[News]:
    return _book_news(event)


@news_of.register
def _(event: PortfolioChanged) -> Sequence[News]:
    return _book_news(event)


@news_of.register
def _(event: PortfolioDeleted) -> Sequence[News]:
    return [_news(event, event.portfolio_id, revision=event.revision)]


@news_of.register
def _(event: SecuritiesEnriched) -> Sequence[News]:
    return [
        _news(
            event,
            None,
            security_count=len(event.symbols),
            unknown=list(event.unknown),
            provider=event.provider,
        )
    ]


@news_of.register
def _(event: PricesReady) -> Sequence[News]:
    return _price_news(event)


@news_of.register
def _(event: PricesIncomplete) -> Sequence[News]:
    return _price_news(event)


@news_of.register
def _(event: RiskCalculated) -> Sequence[News]:
    return _whole(event, event.portfolio_id)


@news_of.register
def _(event: CalculationFailed) -> Sequence[News]:
    return _whole(event, event.portfolio_id)


@news_of.register
def _(event: CalculationProgressed) -> Sequence[News]:
    return _whole(event, event.portfolio_id)


@news_of.register
def _(event: InsightGenerated) -> Sequence[News]:
    return _whole(event, event.portfolio_id)


@news_of.register
def _(event: RunRequested) -> Sequence[News]:
    return [
        _news(
            event,
            item.portfolio_id,
            job=event.job,
            as_of=event.as_of.isoformat(),
            revision=item.revision,
            force=event.force,
        )
        for item in event.items
    ]


@news_of.register
def _(event: RunCompleted) -> Sequence[News]:
    if len(event.portfolio_ids) == 1:
        return _whole(event, event.portfolio_ids[0], without=("portfolio_ids",))
    # Status and counts of a shared run speak of other people's portfolios too.
    as_of = event.as_of.isoformat() if event.as_of else None
    return [
        _news(event, portfolio_id, job=event.job, as_of=as_of)
        for portfolio_id in event.portfolio_ids
    ]


def _book_news(event: PortfolioCreated | PortfolioChanged) -> Sequence[News]:
    book = event.book
    return [
        _news(
            event,
            book.portfolio_id,
            revision=book.revision,
            portfolio_name=book.name,
            currency=book.currency,
            position_count=None if book.positions is None else len(book.positions),
        )
    ]


def _price_news(event: PricesReady | PricesIncomplete) -> Sequence[News]:
    panel = event.model_dump(mode="json", exclude={"items"})
    return [
        _news(
            event,
            item.portfolio_id,
            **panel,
            **item.model_dump(mode="json", exclude={"portfolio_id", "symbols"}),
            symbol_count=item.symbols,
        )
        for item in event.items
    ]


def _whole(event: Event, portfolio_id: UUID, *, without: Sequence[str] = ()) -> Sequence[News]:
    shown = event.model_dump(mode="json", exclude={"portfolio_id", *without})
    return [_news(event, portfolio_id, **shown)]


def _news(event: Event, portfolio_id: UUID | None, **payload: Any) -> News:
    return News(name=event.NAME, portfolio_id=portfolio_id, payload=payload)
