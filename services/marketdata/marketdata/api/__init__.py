"""Marketdata over HTTP: panels for the risk engine, and for people prices, options and rates."""

from fastapi import APIRouter

from marketdata.api import options, panels, prices, rates

router = APIRouter()
for part in (panels, prices, options, rates):
    router.include_router(part.router)

__all__ = ["router"]
