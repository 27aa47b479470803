"""Onboarding over HTTP: imports, reads, and what other services ask."""

from fastapi import APIRouter

from onboarding.api import equity, imports, internal, portfolios, positions
from onboarding.api.context import Policy

__all__ = ["Policy", "router"]

router = APIRouter()
for _part in (imports, equity, portfolios, positions, internal):
    router.include_router(_part.router)
