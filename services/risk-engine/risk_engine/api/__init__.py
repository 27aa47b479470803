"""The risk engine over HTTP: what is known of a portfolio."""

from fastapi import APIRouter

from risk_engine.api import exposure, portfolio

router = APIRouter()
for part in (portfolio, exposure):
    router.include_router(part.router)
