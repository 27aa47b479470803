"""An account's sessions are kept without a hole, and read back."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import text

from common.events.risk_engine import CalculationFailed, RiskCalculated
from risk_engine.domain import ENGINES
from risk_engine.jobs.calculate import Calculator
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
    assert (nothing["reason"], some["reason"], some["message"]) == ("no_sessions", None, None)
    backwards = await sessions(
        engine, account, **{"from": OPENED[3].isoformat(), "to": OPENED[1].isoformat()}
    )
    assert (backwards["available"], backwards["reason"]) == (False, "empty_span")
    assert backwards["message"] == "`from` is after `to`: no session lies between them."


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
        stored, _ = await Histories(connection).of([account.portfolio_id], date(2025, 1, 1), AS_OF)
    history = stored[account.portfolio_id]
    assert history.sessions == tuple(OPENED[:4])
    np.testing.assert_array_equal(history.net_asset_value, [10_000.0] * 4)
    np.testing.assert_array_equal(history.daily_return, [np.nan, 0.0, 0.0, 0.0])
    assert history.option_prices == {
        day: {"SPY 2026-03-20 C 450": 5.25} for day in (OPENED[0], OPENED[3])
    }
    assert history.option_volatilities == {OPENED[3]: {"SPY 2026-03-20 C 450": 0.21}}


async def rows(engine: Harness):
    found = await execute(
        engine,
        """SELECT session, net_asset_value, daily_pnl, option_prices::text
        FROM risk_engine.snapshots ORDER BY session""",
    )
    return {row.session: tuple(row)[1:] for row in found}


ASIDE = UUID(int=0xA51DE)


@pytest.mark.parametrize("stored_before", [False, True])
async def test_a_night_that_ends_meanwhile_is_not_overwritten_with_a_stand_in(
    engine, market, monkeypatch, stored_before
):
    account = book(position("ACME", 100))
    await calculated(engine, account)
    # The row of the night before; if it is only stored meanwhile, it is out of sight until then.
    prices = '{"ACME 2026-03-20 C 12": 1.25}'
    await execute(
        engine,
        "UPDATE risk_engine.snapshots SET option_prices = :prices, portfolio_id = :under "
        "WHERE session = :before",
        prices=prices,
        under=account.portfolio_id if stored_before else ASIDE,
        before=OPENED[3],
    )
    answers = Calculator._answers
    calculations = []

    async def overtaken(self, *args):
        found = await answers(self, *args)
        calculations.append(found)
        if len(calculations) == 1:
            await execute(
                engine,
                "UPDATE risk_engine.snapshots SET net_asset_value = 9500, portfolio_id = :under "
                "WHERE session = :before",
                under=account.portfolio_id,
                before=OPENED[3],
            )
        return found

    monkeypatch.setattr(Calculator, "_answers", overtaken)
    market.publish(engine.neighbours, panel_version=2)
    await calculated(engine, account, panel_version=2, count=2)
    assert (await rows(engine))[OPENED[3]] == (9_500.0, 0.0, prices)
    assert len(calculations) == 2
    assert not engine.bus.events(CalculationFailed)


async def test_nights_that_end_in_the_wrong_order_come_to_the_same_as_in_the_right_one(
    engine, market
):
    # What stood in for two nights was another value than what they find; one of them ends late.
    account = book(position("ACME", 100))
    await calculated(engine, account)
    await execute(
        engine,
        "UPDATE risk_engine.snapshots SET net_asset_value = 9000 WHERE session IN (:late, :never)",
        late=OPENED[2],
        never=OPENED[3],
    )
    market.publish(engine.neighbours, as_of=OPENED[2])
    await engine.deliver(prices_ready(account, as_of=OPENED[2]))
    await engine.eventually(ended(engine, RiskCalculated, 3))
    assert [one.as_of for one in engine.bus.events(RiskCalculated)] == [AS_OF, OPENED[2], AS_OF]
    assert [row[:2] for row in (await rows(engine)).values()] == [
        (10_000.0, None),
        *[(10_000.0, 0.0)] * 4,
    ]
    # Found again as it was, it moves nothing after it.
    await engine.deliver(prices_ready(account, as_of=OPENED[2]))
    await engine.deliver(prices_ready(account))
    await engine.eventually(ended(engine, RiskCalculated, 5))
    assert {one.as_of for one in engine.bus.events(RiskCalculated)[3:]} == {OPENED[2], AS_OF}


async def test_results_of_so_many_sessions_are_kept_and_every_snapshot(engine, market):
    """A night's results of a book are 50 kB and more: without an end they would be the disk."""
    account, other = book(position("ACME", 100)), book(position("BOLT", 1))
    await calculated(engine, account)
    await calculated(engine, other, count=2)
    columns = "engine, revision, panel_version, status, model_version, input_hash, packed"
    await execute(
        engine,
        f"INSERT INTO risk_engine.results (portfolio_id, as_of, calculated_at, {columns})"
        f" SELECT portfolio_id, as_of - day, calculated_at, {columns}"
        " FROM risk_engine.results, generate_series(1, 20) AS day",
    )
    market.publish(engine.neighbours, panel_version=2)
    await calculated(engine, account, panel_version=2, count=3)

    found = await execute(
        engine,
        "SELECT portfolio_id, count(DISTINCT as_of) AS sessions, min(as_of) AS oldest,"
        " count(*) AS results FROM risk_engine.results GROUP BY portfolio_id",
    )
    rows = {row.portfolio_id: row for row in found}
    assert rows[account.portfolio_id].sessions == 5
    assert rows[account.portfolio_id].oldest == AS_OF - timedelta(days=4)
    assert rows[account.portfolio_id].results == 5 * len(ENGINES)
    # Nobody else's: each goes with its own next calculation.
    assert rows[other.portfolio_id].sessions == 21
    kept = (await sessions(engine, account))["snapshots"]
    assert [one["session"] for one in kept] == [day.isoformat() for day in OPENED]
    shown = await engine.http.get(
        f"/api/v1/analytics/portfolio/{account.portfolio_id}/report",
        headers=engine.neighbours.bearer(ADA),
    )
    assert shown.json()["engines"]["valuation"]["as_of"] == AS_OF.isoformat()
    assert shown.json()["engines"]["valuation"]["panel_version"] == 2
