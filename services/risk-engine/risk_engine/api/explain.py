"""Why a number of a portfolio is what it is."""

from typing import Annotated

from fastapi import Depends, Path, Response

from common.errors import ServiceError
from common.http import Transaction, rendered
from common.identity import OwnedPortfolio
from common.refusals import may_refuse
from risk_engine.api.reading import Stressed, of_portfolio
from risk_engine.domain import Code
from risk_engine.repository import Known, Store
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


MetricName = Annotated[str, Path(max_length=80, pattern="^[A-Za-z0-9_.-]+$")]


async def told_by(
    portfolio_id: OwnedPortfolio, unit: Transaction, metric: MetricName
) -> Known | None:
    """Return what the engines found that a metric is made of, with the valuation."""
    found = await Store(unit).knowledge.of([portfolio_id], schemas.engines_behind(metric))
    return found.get(portfolio_id)


@router.get(
    "/explain/{metric}",
    summary="A number, and what it was made of",
    response_model=schemas.Explanation,
)
@may_refuse(Code.ERR_RISK_001)
async def read_explanation(
    portfolio_id: OwnedPortfolio,
    metric: MetricName,
    known: Annotated[Known | None, Depends(told_by, scope="function")],
) -> Response:
    """Return definition, formula, unit, sign and source, with the inputs to make it again."""

    def explained() -> schemas.Explanation:
        found = schemas.explanation(portfolio_id, known, metric)
        if found is None:
            raise ServiceError(Code.ERR_RISK_001, f"There is no metric {metric} to explain.")
        return found

    return await rendered(explained)
