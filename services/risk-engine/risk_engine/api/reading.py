"""What the analytics routes share: their address, and what is known of the portfolio in it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Depends

from common.http import Transaction
from common.identity import OwnedPortfolio
from risk_engine.domain import ENGINES, EngineName
from risk_engine.repository import Known, Store


def of_portfolio() -> APIRouter:
    """Return a router for reads of one portfolio, the caller's own."""
    return APIRouter(prefix="/api/v1/analytics/portfolio/{portfolio_id}", tags=["analytics"])


def known_by(*engines: EngineName) -> Callable[..., Awaitable[Known | None]]:
    """Return the dependency that reads what these engines found, with the valuation."""

    async def known(portfolio_id: OwnedPortfolio, unit: Transaction) -> Known | None:
        found = await Store(unit).knowledge.of([portfolio_id], engines)
        return found.get(portfolio_id)

    return known


Everything = Annotated[Known | None, Depends(known_by(*ENGINES), scope="function")]
Exposed = Annotated[Known | None, Depends(known_by("exposure"), scope="function")]
Factored = Annotated[Known | None, Depends(known_by("factors"), scope="function")]
Greeks = Annotated[Known | None, Depends(known_by("greeks"), scope="function")]
AtRisk = Annotated[Known | None, Depends(known_by("market_risk"), scope="function")]
Volatile = Annotated[Known | None, Depends(known_by("volatility"), scope="function")]
Correlated = Annotated[Known | None, Depends(known_by("correlation"), scope="function")]
Stressed = Annotated[Known | None, Depends(known_by("stress"), scope="function")]
"""None is a portfolio that the replica has not heard of."""
