"""The scheduler over HTTP."""

from fastapi import APIRouter

from scheduler.api import administration, calculations, dead_letters

router = APIRouter()
router.include_router(calculations.router)
router.include_router(administration.router)
router.include_router(dead_letters.router)
