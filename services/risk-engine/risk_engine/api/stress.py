"""What named events would do to a portfolio."""

from typing import Annotated

from fastapi import Query, Response

from common.http import rendered
from common.identity import OwnedPortfolio
from risk_engine import schemas
from risk_engine.api.reading import Stressed, of_portfolio

router = of_portfolio()


@router.get(
    "/stress",
    summary="What named events would do to a portfolio",
    response_model=schemas.Stress,
)
async def read_stress(portfolio_id: OwnedPortfolio, known: Stressed) -> Response:
    """Return scenarios with their attribution, historical windows, and reverse stress."""
    return await rendered(lambda: schemas.stress(portfolio_id, known))


@router.get(
    "/stress-test",
    summary="Stress scenarios of a portfolio",
    response_model=schemas.StressTest,
)
async def read_stress_test(
    portfolio_id: OwnedPortfolio,
    known: Stressed,
    scenarios: Annotated[
        str | None, Query(description="Scenario ids, separated by commas", max_length=4_000)
    ] = None,
) -> Response:
    """Return each scenario's correlated impact; without results `available: false` and why."""
    wanted = None if scenarios is None else _ids(scenarios)
    return await rendered(lambda: schemas.stress_test(known, wanted))


def _ids(text: str) -> list[str] | None:
    # An empty list asks for nothing in particular.
    return [one.strip() for one in text.split(",") if one.strip()] or None
