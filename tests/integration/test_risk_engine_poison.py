"""Books that kill the process that calculates them, or never let it go."""

from collections.abc import AsyncIterator, Sequence

import pytest

from common.events.onboarding import Book
from common.events.risk_engine import CalculationFailed, RiskCalculated
from common.retry import Retry
from common.service import Platform, Service
from common.work import Worker
from risk_engine.jobs import calculate
from risk_engine.main import build
from risk_engine.settings import Settings
from tests.support.deadly import POISON, TAR, deadly
from tests.support.harness import Harness, running
from tests.support.risk_engine import Marketdata, book, ended, event, position, prices_ready

SECONDS = 2.0
"""That a chunk may calculate: a sound one takes milliseconds."""


def service(platform: Platform) -> Service:
    """The risk engine with little patience."""
    return build(Settings(calculation_seconds=SECONDS), platform)


@pytest.fixture
async def engine(database, tmp_path, monkeypatch) -> AsyncIterator[Harness]:
    monkeypatch.setattr(calculate, "calculate_in_time", deadly)
    quick = Retry(ladder=(0.1,), deaths=3)
    monkeypatch.setitem(Worker.__init__.__kwdefaults__ or {}, "retry", quick)
    async with running("risk-engine", service, database, tmp_path) as harness:
        Marketdata({"ACME": 12.0}).publish(harness.neighbours)
        yield harness


async def delivered(engine: Harness, *names: str) -> Sequence[Book]:
    """Have books of these names calculated together, and return them."""
    books = [book(position("ACME", 10), name=name) for name in names]
    for one in books:
        await engine.deliver(event(one))
    await engine.deliver(prices_ready(*books))
    return books


async def test_a_book_that_kills_its_process_is_given_up_alone(engine):
    poison, *sound = await delivered(engine, POISON, *(f"sound {number}" for number in range(5)))
    (elsewhere,) = await delivered(engine, "in another chunk")
    (failed,) = await engine.eventually(ended(engine, CalculationFailed), 60)
    calculated = await engine.eventually(ended(engine, RiskCalculated, 6), 60)
    assert (failed.portfolio_id, failed.reason) == (poison.portfolio_id, "given_up")
    assert sorted(one.portfolio_id for one in calculated) == sorted(
        one.portfolio_id for one in (*sound, elsewhere)
    )
    assert len(engine.bus.events(CalculationFailed)) == 1


async def test_a_calculation_that_hangs_shows_and_is_given_up_alone(engine):
    tar, sound = await delivered(engine, TAR, "sound")
    await engine.eventually(lambda: engine.bus.published)
    states: set[tuple[int, bool]] = set()
    while not engine.bus.events(CalculationFailed):
        answer = await engine.http.get("/health/ready")
        states.add((answer.status_code, answer.json()["checks"]["work"] == "ok"))
    (failed,) = engine.bus.events(CalculationFailed)
    (calculated,) = await engine.eventually(ended(engine, RiskCalculated))
    assert (failed.portfolio_id, failed.reason) == (tar.portfolio_id, "given_up")
    assert calculated.portfolio_id == sound.portfolio_id
    assert states == {(200, True), (503, False)}
    answer = await engine.http.get("/health/ready")
    assert answer.json()["checks"]["work"] == "ok"
