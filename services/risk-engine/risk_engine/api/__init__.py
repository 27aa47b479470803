"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import exposure, greeks, portfolio

router = APIRouter()
for part in (portfolio, greeks, exposure):
    router.include_router(part.router)
