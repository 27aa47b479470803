"""Stress over HTTP: calculated, stored, and read in the shapes clients know."""

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

READS = ("stress", "stress-test")


async def test_stress_is_read_once_it_is_calculated(engine):
    """A market without factors: nothing can be said, and why is."""
    account = book(position("ACME", 60), position("BOLT", -20, "45"))
    await engine.deliver(event(account))
    for what in READS:
        answer = (await get(engine, account.portfolio_id, what)).json()
        assert (answer["available"], answer["data"]) == (False, None)
        assert (await get(engine, account.portfolio_id, what, GRACE)).status_code == 404
    before = (await get(engine, account.portfolio_id, "stress-test")).json()
    assert before["data_quality"]["flag"] == "NO_SNAPSHOT"

    await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated, 1))
    everything, test = [(await get(engine, account.portfolio_id, what)).json() for what in READS]
    assert everything["available"]
    assert len(everything["data"]["scenarios"]) == 19
    assert {one["correlated"] for one in everything["data"]["scenarios"]} == {None}
    assert everything["data"]["status"] in {"partial", "insufficient"}
    assert everything["data"]["status"] == everything["status"] == test["status"]
    assert test["data_quality"]["flag"] == "NO_STRESS_TEST_RESULTS"
    assert test["data_quality"]["positions_total"] == 2
    asked = await get(engine, account.portfolio_id, "stress-test?scenarios=no_such,neither")
    assert asked.json()["data_quality"]["flag"] == "NO_MATCHING_RESULTS"
    assert asked.json()["metadata"]["scenarios_requested"] == ["no_such", "neither"]
    report = (await get(engine, account.portfolio_id, "report")).json()
    assert report["engines"]["stress"] == everything["data"]
