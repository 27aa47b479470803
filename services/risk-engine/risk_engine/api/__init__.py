"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import (
    correlation,
    exposure,
    factors,
    greeks,
    market_risk,
    performance,
    portfolio,
    stress,
    volatility,
)

router = APIRouter()
for part in (
    *(portfolio, performance, greeks, exposure, factors),
    *(volatility, correlation, market_risk, stress),
):
    router.include_router(part.router)
