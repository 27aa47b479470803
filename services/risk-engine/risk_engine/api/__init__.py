"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import (
    correlation,
    exposure,
    greeks,
    market_risk,
    performance,
    portfolio,
    volatility,
)

router = APIRouter()
for part in (portfolio, performance, greeks, exposure, volatility, correlation, market_risk):
    router.include_router(part.router)
