"""A risk engine with a week of prices of two shares, and who reads from it."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest

from tests.support.harness import Harness, running
from tests.support.risk_engine import ADA, Marketdata, service

GRACE = UUID(int=0x6ACE)
"""Somebody with no portfolio."""


@pytest.fixture
async def engine(database, tmp_path) -> AsyncIterator[Harness]:
    """The service as shipped, ACME at 12 and BOLT at 50 on every session."""
    async with running("risk-engine", service, database, tmp_path) as harness:
        Marketdata({"ACME": 12.0, "BOLT": 50.0}).publish(harness.neighbours)
        yield harness


async def get(
    engine: Harness, portfolio_id: UUID, what: str, user_id: UUID = ADA
) -> httpx.Response:
    """Read something of a portfolio as this user."""
    return await engine.http.get(
        f"/api/v1/analytics/portfolio/{portfolio_id}/{what}",
        headers=engine.neighbours.bearer(user_id),
    )
