"""What the risk engine answers over HTTP."""

import json
from uuid import uuid4

import pytest
from sqlalchemy import event as sql_event

from common.events.risk_engine import RiskCalculated
from risk_engine.engine.results import unpack
from risk_engine.schemas.base import plain
from risk_engine.schemas.valuation import ValuationOut
from tests.integration.risk_engine_world import GRACE, engine, get
from tests.support.harness import Harness
from tests.support.risk_engine import (
    ADA,
    book,
    ended,
    event,
    position,
    prices_ready,
)

__all__ = ["engine"]


async def calculated(engine: Harness, *books):
    for one in books:
        await engine.deliver(event(one))
    await engine.deliver(prices_ready(*books))
    await engine.eventually(ended(engine, RiskCalculated, len(books)))


def refuse_constants(name: str):
    raise AssertionError(f"{name} in an answer")


@pytest.mark.parametrize("what", ["report", "overview"])
async def test_another_users_portfolio_does_not_exist(engine, what):
    account = book(position("ACME", 100))
    await engine.deliver(event(account))
    foreign = await get(engine, account.portfolio_id, what, GRACE)
    nowhere = await get(engine, uuid4(), what, GRACE)
    assert foreign.status_code == nowhere.status_code == 404
    assert foreign.json()["error"]["code"] == nowhere.json()["error"]["code"] == "ERR_PORTFOLIO_404"
    address = f"/api/v1/analytics/portfolio/{account.portfolio_id}/{what}"
    assert (await engine.http.get(address)).status_code == 401


async def test_a_portfolio_that_only_onboarding_knows_is_not_calculated_yet(engine):
    portfolio_id = uuid4()
    engine.neighbours.answers[f"GET /internal/portfolios/{portfolio_id}"] = {"user_id": str(ADA)}
    answer = (await get(engine, portfolio_id, "report")).json()
    assert (answer["available"], answer["reason"]) == (False, "not_calculated_yet")
    assert (answer["engines"], answer["snapshots"]) == ({}, [])
    assert answer["not_built"] == []
    assert (await get(engine, portfolio_id, "overview")).json()["exposures"] is None


async def test_the_report_says_everything_the_engine_said(engine):
    account = book(
        position("ACME", 100),
        position("BOLT", -20, "45"),
        position("A house", 1, "3000", investment_class="PRIVATE"),
        position(
            "SPY290119C00700000",
            2,
            "30",
            position_type="LC",
            investment_class="OPTIONS",
            multiplier=100,
        ),
    )
    await calculated(engine, account)
    answer = await get(engine, account.portfolio_id, "report")
    shown = json.loads(answer.text, parse_constant=refuse_constants)
    async with engine.service.database.engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT packed, input_hash FROM risk_engine.results WHERE engine = 'valuation'"
        )
        packed, input_hash = found.one()
    payload = unpack(packed)
    said = ValuationOut.model_validate(plain(payload) | {"input_hash": input_hash})
    assert shown["engines"]["valuation"] == said.model_dump(mode="json")
    assert ValuationOut.model_fields.keys() == payload.keys() | {"input_hash"}
    assert shown["name"] == "Ada's book"
    assert shown["status"] == "partial"
    statuses = {name: one["status"] for name, one in shown["engines"].items()}
    assert shown["engine_statuses"] == statuses
    assert statuses["greeks"] == "insufficient"
    assert shown["provider"] == "simulated"
    assert shown["net_asset_value"] == payload["totals"]["net_asset_value"]
    # Every session since the opening, four before.
    *_, snapshot = shown["snapshots"]
    assert len(shown["snapshots"]) == 5
    assert snapshot["cash"] == payload["totals"]["cash"]
    assert snapshot["daily_pnl"] == payload["daily"]["pnl"]


async def test_the_overview_uses_the_names_clients_know(engine):
    account = book(
        position("ACME", 100),
        position("BOLT", -20, "45"),
        position(
            "SPY290119C00700000",
            2,
            "5",
            position_type="LC",
            investment_class="OPTIONS",
            multiplier=100,
        ),
        position("ACME", 3, exit_date="2025-06-02", exit_price="20"),
    )
    await calculated(engine, account)
    answer = (await get(engine, account.portfolio_id, "overview")).json()
    assert answer["total_value"] == answer["equity_balance"] == 10_000
    # 1,200 long and 1,000 short at the market; the option is carried at 1,000.
    assert answer["cash_balance"] == 8_800
    assert answer["carried_value"] == 1_000
    parts = answer["cash_balance"] + answer["exposures"]["net_exposure"] + answer["carried_value"]
    assert answer["total_value"] == parts
    assert answer["leverage"] == 0.22
    assert answer["exposures"] == {
        "long_exposure": 1_200,
        "short_exposure": -1_000,
        "gross_exposure": 2_200,
        "net_exposure": 200,
        "long_percentage": 12.0,
        "short_percentage": 10.0,
        "gross_percentage": 22.0,
        "net_percentage": 2.0,
        "percentages_of": "net asset value",
    }
    assert answer["pnl"]["unrealized_pnl"] == 100
    assert answer["pnl"]["realized_pnl"] == 30
    assert answer["position_count"] == {
        "total_positions": 3,
        "long_count": 1,
        "short_count": 1,
        "option_count": 1,
    }


async def test_a_net_asset_value_that_is_not_positive_has_no_percentages(engine):
    account = book(position("BOLT", -300), equity_balance=-1)
    await calculated(engine, account)
    answer = (await get(engine, account.portfolio_id, "overview")).json()
    assert answer["total_value"] == -1
    assert answer["leverage"] is None
    assert answer["exposures"]["short_percentage"] is None
    assert answer["exposures"]["short_exposure"] == -15_000


async def test_valuations_of_many_portfolios_are_one_statement(engine):
    accounts = [book(position("ACME", quantity)) for quantity in (1, 2, 3)]
    await calculated(engine, *accounts)
    ids = [str(one.portfolio_id) for one in accounts]
    unknown = str(uuid4())
    statements: list[str] = []

    def note(connection, cursor, statement, parameters, context, many):
        if "risk_engine.results" in statement or "risk_engine.books" in statement:
            statements.append(statement)

    sql_event.listen(engine.service.database.engine.sync_engine, "before_cursor_execute", note)
    answer = await engine.http.post(
        "/internal/valuations", json={"portfolio_ids": [*ids, unknown]}, headers=engine.internal
    )
    assert len(statements) == 1
    valuations = answer.json()["valuations"]
    assert [valuations[one]["positions"][0]["market_value"] for one in ids] == [12, 24, 36]
    assert valuations[ids[0]]["totals"]["net_asset_value"] == 10_000
    assert (valuations[unknown]["available"], valuations[unknown]["reason"]) == (
        False,
        "not_calculated_yet",
    )


async def test_totals_may_be_asked_for_without_the_positions(engine):
    account = book(position("ACME", 1))
    await calculated(engine, account)
    known = str(account.portfolio_id)
    answer = await engine.http.post(
        "/internal/valuations",
        json={"portfolio_ids": [known], "positions": False},
        headers=engine.internal,
    )
    valuation = answer.json()["valuations"][known]
    assert (valuation["totals"]["net_asset_value"], valuation["positions"]) == (10_000, [])


async def test_internal_addresses_exist_only_for_services(engine):
    answer = await engine.http.post("/internal/valuations", json={"portfolio_ids": []})
    assert answer.status_code == 404
