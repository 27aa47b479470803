"""Factors and betas over HTTP: calculated, stored, and read in the shapes clients know."""

import pytest

from common.events.risk_engine import RiskCalculated
from tests.integration.risk_engine_world import GRACE, engine, get
from tests.support.risk_engine import (
    book,
    ended,
    event,
    position,
    prices_ready,
)

__all__ = ["engine"]

READS = (
    "factors",
    "factor-exposures",
    "positions/factor-exposures",
    "spread-factors",
    "beta-comparison",
    "market-beta",
    "beta-calculated-90d",
    "beta-provider-1y",
)


async def test_of_a_market_without_funds_the_answers_say_so(engine):
    """A week of prices of two shares: positions are there, and nothing is made up about them."""
    account = book(position("ACME", 60), position("BOLT", -20, "45"))
    await engine.deliver(event(account))
    for what in READS:
        answer = await get(engine, account.portfolio_id, what)
        assert answer.status_code == 200, answer.text
        assert not answer.json()["available"]
        assert (await get(engine, account.portfolio_id, what, GRACE)).status_code == 404

    await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated, 1))
    answers = {what: (await get(engine, account.portfolio_id, what)).json() for what in READS}
    everything = answers["factors"]["data"]
    assert everything["status"] == answers["factors"]["status"] == "insufficient"
    assert everything["counts"]["open_positions"] == 2
    assert [row["beta"] for row in everything["factors"]] == [None] * 8
    assert answers["factor-exposures"]["data_quality"]["flag"] == "NO_FACTOR_CALCULATIONS"
    assert answers["factor-exposures"]["factors"] == []
    compared = answers["beta-comparison"]
    assert [row["symbol"] for row in compared["positions"]] == ["ACME", "BOLT"]
    assert compared["metadata"]["positions_with_calculated_beta"] == 0
    for what in ("market-beta", "beta-calculated-90d"):
        assert answers[what]["data"] is None
        assert "error" in answers[what]["metadata"]
    report = (await get(engine, account.portfolio_id, "report")).json()
    assert report["engines"]["factors"] == everything


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1", "limit=many"])
async def test_a_page_has_limits(engine, query):
    account = book(position("ACME", 60))
    await engine.deliver(event(account))
    answer = await get(engine, account.portfolio_id, f"positions/factor-exposures?{query}")
    assert answer.status_code == 422
