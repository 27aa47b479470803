"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import exposure, portfolio, stress

router = APIRouter()
for part in (portfolio, exposure, stress):
    router.include_router(part.router)
