"""Exposures over HTTP: calculated, stored, and read in the shapes clients know."""

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

READS = ("exposure", "sector-exposure", "concentration")


async def test_exposures_are_read_once_they_are_calculated(engine):
    """1,200 long, 1,000 short and a house of 3,000: gross 5,200 of a NAV of 10,000."""
    account = book(
        position("ACME", 60),
        position("ACME", 40),
        position("BOLT", -20, "45"),
        position("A house", 1, "3000", investment_class="PRIVATE"),
    )
    await engine.deliver(event(account))
    for what in READS:
        answer = (await get(engine, account.portfolio_id, what)).json()
        assert (answer["available"], answer["data"]) == (False, None)
        assert (await get(engine, account.portfolio_id, what, GRACE)).status_code == 404

    await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated, 1))
    everything, sectors, concentration = [
        (await get(engine, account.portfolio_id, what)).json() for what in READS
    ]
    assert everything["available"]
    assert everything["data"]["delta_adjusted"]["gross"] == 5_200
    # After eight sessions nothing has a history of its own yet.
    assert everything["data"]["delta_adjusted_without_proxied"]["gross"] == 0
    assert everything["data"]["leverage"] == 0.52
    assert sectors["available"]
    assert sectors["metadata"]["benchmark"] == "SP500"
    assert sectors["data"]["positions_by_sector"]["Unclassified"] == 4
    assert concentration["data"]["total_positions"] == 4
    # Shares 3,000, 1,200 and 1,000 of 5,200: the two lots are one name.
    assert concentration["data"]["underlyings"] == 3
    assert concentration["data"]["hhi"] == pytest.approx(1e4 * (9 + 1.44 + 1) / 27.04)
    assert concentration["data"]["top_3_concentration"] == 1
    report = (await get(engine, account.portfolio_id, "report")).json()
    assert report["engines"]["exposure"] == everything["data"]
