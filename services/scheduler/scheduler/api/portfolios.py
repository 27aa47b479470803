"""Which portfolio a request is about, at which revision, by our own knowledge or onboarding's."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from common.errors import CommonCode, ServiceError
from common.identity import OwnedPortfolio
from common.unit_of_work import UnitOfWork
from scheduler.clients import Onboarding
from scheduler.domain import Portfolio
from scheduler.repository import Store


def onboarding_of(request: Request) -> Onboarding:
    """Return the book of record."""
    onboarding: Onboarding = request.app.state.onboarding
    return onboarding


BookOfRecord = Annotated[Onboarding, Depends(onboarding_of)]


async def find_portfolio(portfolio_id: UUID, request: Request) -> Portfolio:
    """Return a portfolio as events have told of it, else by onboarding's word.

    ERR_PORTFOLIO_404 when onboarding knows none. Outside the route's transaction, which must not
    wait for another service.
    """
    unit_of_work: UnitOfWork = request.app.state.unit_of_work
    async with unit_of_work.begin() as unit:
        known = await Store(unit).portfolios.find(portfolio_id)
    known = known or await onboarding_of(request).portfolio(portfolio_id)
    if known is None:
        raise ServiceError(
            CommonCode.ERR_PORTFOLIO_404, f"There is no portfolio with the id {portfolio_id}."
        )
    return known


async def own_portfolio(portfolio_id: OwnedPortfolio, request: Request) -> Portfolio:
    """Return the path's portfolio, which is the caller's."""
    return await find_portfolio(portfolio_id, request)


OwnPortfolio = Annotated[Portfolio, Depends(own_portfolio)]
