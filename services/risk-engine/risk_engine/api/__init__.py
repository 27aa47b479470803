"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import exposure, greeks, portfolio, stress

router = APIRouter()
for part in (portfolio, greeks, exposure, stress):
    router.include_router(part.router)
