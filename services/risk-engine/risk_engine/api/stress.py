"""What named events would do to a portfolio."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.domain import EngineName
from risk_engine.repository import Store

router = APIRouter()

_READ: tuple[EngineName, ...] = ("valuation", "stress")


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/stress",
    tags=["analytics"],
    summary="What named events would do to a portfolio",
    response_model=schemas.Stress,
)
async def read_stress(portfolio_id: OwnedPortfolio, unit: Transaction) -> Response:
    """Return scenarios with their attribution, historical windows, and reverse stress."""
    known = await Store(unit).results.known([portfolio_id], _READ)
    return await rendered(lambda: schemas.stress(portfolio_id, known.get(portfolio_id)))


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/stress-test",
    tags=["analytics"],
    summary="Stress scenarios of a portfolio",
    response_model=schemas.StressTest,
)
async def read_stress_test(
    portfolio_id: OwnedPortfolio,
    unit: Transaction,
    scenarios: Annotated[
        str | None, Query(description="Scenario ids, separated by commas", max_length=4_000)
    ] = None,
) -> Response:
    """Return each scenario's correlated impact; without results `available: false` and why."""
    wanted = None if scenarios is None else _ids(scenarios)
    known = await Store(unit).results.known([portfolio_id], _READ)
    return await rendered(lambda: schemas.stress_test(known.get(portfolio_id), wanted))


def _ids(text: str) -> list[str] | None:
    # An empty list asks for nothing in particular.
    return [one.strip() for one in text.split(",") if one.strip()] or None
