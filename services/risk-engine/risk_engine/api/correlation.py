"""How what a portfolio holds moves together."""

from typing import Annotated

from fastapi import Depends, Query, Response

from common.errors import CommonCode, ServiceError
from common.http import rendered
from common.identity import OwnedPortfolio
from common.refusals import may_refuse
from risk_engine.api.reading import Correlated, of_portfolio
from risk_engine.schemas.diversification import (
    CorrelationMatrix,
    DiversificationScore,
    correlation_matrix,
    diversification_score,
)

router = of_portfolio()


@may_refuse(CommonCode.ERR_HTTP)
def lookback(
    lookback_days: Annotated[int, Query(ge=30, le=365)] = 90,
    min_overlap: Annotated[int, Query(ge=10, le=365)] = 30,
) -> tuple[int, int]:
    """Return the window and the overlap a client asks for.

    Raises:
        ServiceError: more overlap is asked for than there is window.
    """
    if min_overlap > lookback_days:
        raise ServiceError(CommonCode.ERR_HTTP, "min_overlap must not be above lookback_days.")
    return lookback_days, min_overlap


Lookback = Annotated[tuple[int, int], Depends(lookback)]


@router.get(
    "/correlation-matrix",
    summary="Correlations of the largest holdings",
    response_model=CorrelationMatrix,
)
async def read_correlation_matrix(
    portfolio_id: OwnedPortfolio,
    known: Correlated,
    asked: Lookback,
    max_symbols: Annotated[int, Query(ge=2, le=50)] = 25,
) -> Response:
    """Return shrunk correlations of 252 sessions, whatever window is asked for, and say so."""
    lookback_days, min_overlap = asked
    return await rendered(
        lambda: correlation_matrix(
            known,
            lookback_days=lookback_days,
            min_overlap=min_overlap,
            max_symbols=max_symbols,
        )
    )


@router.get(
    "/diversification-score",
    summary="How far holdings offset each other",
    response_model=DiversificationScore,
)
async def read_diversification_score(
    portfolio_id: OwnedPortfolio, known: Correlated, asked: Lookback
) -> Response:
    """Return the correlation of holdings, absolute and implied, and scores from 0 to 100."""
    lookback_days, min_overlap = asked
    return await rendered(
        lambda: diversification_score(
            portfolio_id,
            known,
            lookback_days=lookback_days,
            min_overlap=min_overlap,
        )
    )
