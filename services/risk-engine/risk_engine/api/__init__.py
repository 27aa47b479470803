"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import (
    correlation,
    explain,
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
    *(volatility, correlation, market_risk, stress, explain),
):
    router.include_router(part.router)
