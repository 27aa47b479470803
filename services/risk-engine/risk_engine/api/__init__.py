"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import correlation, exposure, factors, greeks, market_risk, performance, portfolio, volatility
    correlation,
    exposure,
    factors,
    greeks,
    performance,
    portfolio,
    volatility,
)

router = APIRouter()
for part in (portfolio, performance, greeks, exposure, volatility, correlation, factors, market_risk):
    router.include_router(part.router)
