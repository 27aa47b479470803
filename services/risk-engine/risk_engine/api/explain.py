"""Why a number of a portfolio is what it is."""

from typing import Annotated

from fastapi import Path, Response

from common.errors import ServiceError
from common.http import rendered
from common.identity import OwnedPortfolio
from common.refusals import may_refuse
from risk_engine.api.reading import Everything, Stressed, of_portfolio
from risk_engine.domain import Code
from risk_engine.schemas import explain as schemas

router = of_portfolio()


@router.get(
    "/explain",
    summary="The metrics that can be explained",
    response_model=schemas.Metrics,
)
async def read_metrics(portfolio_id: OwnedPortfolio, known: Stressed) -> Response:
    """Return every metric by name, the calculated stress scenarios among them."""
    return await rendered(lambda: schemas.metrics(portfolio_id, known))


@router.get(
    "/explain/{metric}",
    summary="A number, and what it was made of",
    response_model=schemas.Explanation,
)
@may_refuse(Code.ERR_RISK_001)
async def read_explanation(
    portfolio_id: OwnedPortfolio,
    metric: Annotated[str, Path(max_length=80, pattern="^[A-Za-z0-9_.-]+$")],
    known: Everything,
) -> Response:
    """Return definition, formula, unit, sign and source, with the inputs to make it again."""

    def explained() -> schemas.Explanation:
        found = schemas.explanation(portfolio_id, known, metric)
        if found is None:
            raise ServiceError(Code.ERR_RISK_001, f"There is no metric {metric} to explain.")
        return found

    return await rendered(explained)
