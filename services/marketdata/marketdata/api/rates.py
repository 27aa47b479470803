"""The Treasury's curve for people."""

import math

from fastapi import APIRouter, Depends

from common.http import Transaction
from common.identity import principal
from marketdata.api.asked import AskedSession, CurrentSource
from marketdata.domain import TENORS
from marketdata.repository import Reads
from marketdata.schemas.rates import Rate, Rates

router = APIRouter()

NOT_LOADED = "no rates are loaded up to this session; ten years come with a portfolio's prices"


@router.get(
    "/api/v1/data/rates",
    tags=["prices"],
    dependencies=[Depends(principal)],
    summary="The Treasury's zero curve",
)
async def read_rates(as_of: AskedSession, source: CurrentSource, unit: Transaction) -> Rates:
    """Return the newest curve that is loaded, up to a session."""
    curve = await Reads(unit, source).curve(as_of)
    if curve is None:
        return Rates(available=False, reason=NOT_LOADED, provider=source.provider)
    return Rates(
        available=True,
        as_of=curve.session,
        provider=source.provider,
        rates=[
            Rate(tenor=tenor, years=years, rate=None if math.isnan(rate) else round(rate, 8))
            for (tenor, years), rate in zip(TENORS.items(), curve.rates, strict=True)
        ],
    )
