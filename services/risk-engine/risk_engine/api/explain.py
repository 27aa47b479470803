"""Why a number of a portfolio is what it is."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from common.errors import ServiceError
from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from common.refusals import may_refuse
from risk_engine.domain import Code
from risk_engine.repository import Store
from risk_engine.schemas import explain as schemas

router = APIRouter()


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/explain",
    tags=["analytics"],
    summary="The metrics that can be explained",
    response_model=schemas.Metrics,
)
async def read_metrics(portfolio_id: OwnedPortfolio, unit: Transaction) -> Response:
    """Return every metric by name, the calculated stress scenarios among them."""
    known = await Store(unit).results.known([portfolio_id], ["stress"])
    return await rendered(lambda: schemas.metrics(portfolio_id, known.get(portfolio_id)))


@router.get(
    "/api/v1/analytics/portfolio/{portfolio_id}/explain/{metric}",
    tags=["analytics"],
    summary="A number, and what it was made of",
    response_model=schemas.Explanation,
)
@may_refuse(Code.ERR_RISK_001)
async def read_explanation(
    portfolio_id: OwnedPortfolio,
    metric: Annotated[str, Path(max_length=80, pattern="^[A-Za-z0-9_.-]+$")],
    unit: Transaction,
) -> Response:
    """Return definition, formula, unit, sign and source, with the inputs to make it again."""
    known = await Store(unit).results.known([portfolio_id])

    def explained() -> schemas.Explanation:
        found = schemas.explanation(portfolio_id, known.get(portfolio_id), metric)
        if found is None:
            raise ServiceError(Code.ERR_RISK_001, f"There is no metric {metric} to explain.")
        return found

    return await rendered(explained)
