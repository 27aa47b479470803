"""An account's sessions are kept without a hole, and read back."""

from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import text

from common.events.risk_engine import RiskCalculated
from risk_engine.repository.history import Histories
from tests.support.harness import Harness, running
from tests.support.risk_engine import (
    ADA,
    AS_OF,
    SESSIONS,
    Marketdata,
    book,
    ended,
    event,
    position,
    prices_ready,
    service,
)

GRACE = UUID(int=0x6ACE)
OPENED = SESSIONS[-5:]


@pytest.fixture
def market():
    return Marketdata({"ACME": 12.0, "BOLT": 50.0})


@pytest.fixture
async def engine(database, tmp_path, market) -> AsyncIterator[Harness]:
    async with running("risk-engine", service, database, tmp_path) as harness:
        market.publish(harness.neighbours)
        yield harness


async def calculated(engine: Harness, account, *, panel_version=1, count=1):
    await engine.deliver(event(account))
    await engine.deliver(prices_ready(account, panel_version=panel_version))
    await engine.eventually(ended(engine, RiskCalculated, count))


async def sessions(engine: Harness, account, user_id=ADA, **span):
    answer = await engine.http.get(
        f"/api/v1/analytics/portfolio/{account.portfolio_id}/snapshots",
        headers=engine.neighbours.bearer(user_id),
        params=span,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def execute(engine: Harness, statement: str, **values):
    async with engine.service.database.engine.begin() as connection:
        return await connection.execute(text(statement), values)


async def test_the_sessions_since_the_opening_are_read_oldest_first(engine):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    found = await sessions(engine, account)
    assert (found["available"], found["truncated"]) == (True, False)
    assert [one["session"] for one in found["snapshots"]] == [day.isoformat() for day in OPENED]
    first, *others = found["snapshots"]
    assert (first["daily_pnl"], first["daily_return"]) == (None, None)
    assert [(one["daily_pnl"], one["daily_return"]) for one in others] == [(0.0, 0.0)] * 4


async def test_a_span_and_a_limit_bound_the_answer(engine):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    some = await sessions(
        engine, account, **{"from": OPENED[1].isoformat(), "to": OPENED[3].isoformat()}
    )
    assert [one["session"] for one in some["snapshots"]] == [day.isoformat() for day in OPENED[1:4]]
    last = await sessions(engine, account, limit=2)
    assert [one["session"] for one in last["snapshots"]] == [day.isoformat() for day in OPENED[3:]]
    assert (last["truncated"], last["limit"]) == (True, 2)
    nothing = await sessions(engine, account, to="2020-01-01")
    assert (nothing["available"], nothing["snapshots"]) == (False, [])


@pytest.mark.parametrize("span", [{"limit": 0}, {"limit": 2_601}, {"from": "yesterday"}], ids=str)
async def test_what_is_no_span_is_refused(engine, span):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    answer = await engine.http.get(
        f"/api/v1/analytics/portfolio/{account.portfolio_id}/snapshots",
        headers=engine.neighbours.bearer(ADA),
        params=span,
    )
    assert answer.status_code == 422


async def test_another_users_sessions_do_not_exist(engine):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    for portfolio_id, user_id in ((account.portfolio_id, GRACE), (uuid4(), ADA)):
        answer = await engine.http.get(
            f"/api/v1/analytics/portfolio/{portfolio_id}/snapshots",
            headers=engine.neighbours.bearer(user_id),
        )
        assert answer.status_code == 404


async def test_a_session_that_is_missing_comes_with_the_next_calculation(engine, market):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    before = await sessions(engine, account)
    await execute(
        engine,
        "DELETE FROM risk_engine.snapshots WHERE session = :session",
        session=OPENED[2],
    )
    market.publish(engine.neighbours, panel_version=2)
    await calculated(engine, account, panel_version=2, count=2)
    after = await sessions(engine, account)
    versions = [one.pop("panel_version") for one in after["snapshots"]]
    assert versions == [1, 1, 2, 1, 2]
    for one in before["snapshots"]:
        one.pop("panel_version")
    assert after["snapshots"] == before["snapshots"]


async def test_sessions_of_before_the_daily_change_was_kept_are_calculated_once_more(
    engine, market
):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    await execute(engine, "UPDATE risk_engine.snapshots SET daily_pnl = NULL, daily_return = NULL")
    market.publish(engine.neighbours, panel_version=2)
    await calculated(engine, account, panel_version=2, count=2)
    after = await sessions(engine, account)
    assert [one["daily_pnl"] for one in after["snapshots"]] == [None, 0, 0, 0, 0]


async def test_another_revision_has_a_history_of_its_own(engine, market):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    more = account.model_copy(
        update={"revision": 2, "positions": (position("ACME", 100), position("BOLT", 10))}
    )
    await calculated(engine, more, count=2)
    found = await sessions(engine, account)
    assert [(one["revision"], one["long_market_value"]) for one in found["snapshots"]] == [
        (2, 1_700)
    ] * 5


async def test_what_options_were_priced_at_is_read_where_it_matters(engine):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    await execute(
        engine,
        """UPDATE risk_engine.snapshots SET option_prices = '{"SPY 2026-03-20 C 450": 5.25}'
        WHERE session IN (:opening, :last)""",
        opening=OPENED[0],
        last=OPENED[3],
    )
    await execute(
        engine,
        """UPDATE risk_engine.snapshots SET option_volatilities = '{"SPY 2026-03-20 C 450": 0.21}'
        WHERE session = :last""",
        last=OPENED[3],
    )
    async with engine.service.database.engine.connect() as connection:
        stored = await Histories(connection).of([account.portfolio_id], date(2025, 1, 1), AS_OF)
    history = stored[account.portfolio_id]
    assert history.sessions == tuple(OPENED[:4])
    np.testing.assert_array_equal(history.net_asset_value, [10_000.0] * 4)
    np.testing.assert_array_equal(history.daily_return, [np.nan, 0.0, 0.0, 0.0])
    assert history.option_prices == {
        day: {"SPY 2026-03-20 C 450": 5.25} for day in (OPENED[0], OPENED[3])
    }
    assert history.option_volatilities == {OPENED[3]: {"SPY 2026-03-20 C 450": 0.21}}
