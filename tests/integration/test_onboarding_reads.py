"""What owners and other services read of the book, with and without figures from risk-engine."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.harness import Harness, running
from tests.support.onboarding import (
    BOOK,
    book_at,
    get,
    lots,
    positions,
    service,
    statements,
    upload,
)
from tests.unit.onboarding.upload import call, csv_bytes, line

USER, STRANGER = uuid4(), uuid4()
LIST = "/api/v1/data/portfolios"
DETAILS = "/api/v1/data/positions/details"
VALUATIONS = "POST /internal/valuations"

ROWS = csv_bytes(
    line("AAPL", "10", "100"),
    line("SHOP", "-25", "62.50"),
    call("SPY_CALL", quantity="-2", price="5.50"),
    line("ART_1", "1", "5000", investment_class="PRIVATE"),
    line("TSLA", "50", "185", "2023-12-01", exit_date="2024-01-15", exit_price="215"),
)


@pytest.fixture
async def onboarding(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("onboarding", service, database, tmp_path) as harness:
        yield harness


@pytest.fixture
async def portfolio_id(onboarding):
    answer = await upload(onboarding, USER, ROWS, description="Mine")
    assert answer.status_code == 201, answer.text
    return answer.json()["portfolio_id"]


async def value(onboarding: Harness, portfolio_id: str, **changes: Any) -> None:
    """Let risk-engine know two of the positions' prices."""
    known = await positions(onboarding, USER, "?include_closed=true")
    valuation = {
        "available": True,
        "as_of": "2026-11-20",
        "panel_version": 3,
        "book_revision": 1,
        "provider": "simulated",
        "totals": {"net_asset_value": 490000.5, "net_market_value": 750.0, "cash": 1.0},
        "positions": [
            {
                "position_id": known["AAPL"]["id"],
                "state": "open",
                "reason": None,
                "market_price": 250.0,
                "market_value": 2500.0,
                "unrealized_pnl": 1500.0,
                "unrealized_pnl_percent": 150.0,
                "realized_pnl": None,
            },
            {
                "position_id": known["SHOP"]["id"],
                "market_price": 70.0,
                "market_value": -1750.0,
                "unrealized_pnl": -187.5,
                "unrealized_pnl_percent": -12.0,
            },
            {"position_id": known["ART_1"]["id"], "reason": "private", "market_value": None},
            {"position_id": known["TSLA"]["id"], "state": "closed", "realized_pnl": 1500.0},
        ],
        **changes,
    }
    onboarding.neighbours.answers[VALUATIONS] = {"valuations": {portfolio_id: valuation}}


async def test_a_user_without_a_portfolio_reads_an_empty_list_and_nobody_is_asked(onboarding):
    answer = await get(onboarding, LIST, USER)

    assert (answer.status_code, answer.json()) == (200, [])
    assert onboarding.neighbours.requests == []
    missing = await get(onboarding, DETAILS, USER)
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "ERR_PORTFOLIO_404")


async def test_the_list_shows_what_risk_engine_says_a_portfolio_is_worth(onboarding, portfolio_id):
    await value(onboarding, portfolio_id)

    (one,) = (await get(onboarding, LIST, USER)).json()

    assert (one["id"], one["name"], one["currency"]) == (portfolio_id, "Main", "USD")
    assert (one["total_value"], one["total_market_value"]) == (490000.5, 750.0)
    assert (one["equity_balance"], one["position_count"], one["revision"]) == (485000.0, 4, 1)
    assert one["created_at"] == one["updated_at"]
    assert one["valuation"] == {
        "available": True,
        "stale": False,
        "reason": None,
        "as_of": "2026-11-20",
        "panel_version": 3,
        "book_revision": 1,
        "provider": "simulated",
    }


async def test_a_portfolio_is_read_whole(onboarding, portfolio_id):
    await value(onboarding, portfolio_id)

    one = (await get(onboarding, f"{LIST}/{portfolio_id}", USER)).json()

    assert (one["total_value"], one["description"]) == (490000.5, "Mine")
    assert one["counts"] == {
        "open": 4,
        "closed": 1,
        "long": 2,
        "short": 2,
        "options": 1,
        "private": 1,
    }
    imported = one["imported_from"]
    assert (imported["filename"], imported["positions"]) == ("book.csv", 5)
    assert imported["run_id"]
    assert one["opening_session"]


async def test_positions_show_signed_figures_or_say_why_not(onboarding, portfolio_id):
    await value(onboarding, portfolio_id)

    answer = (await get(onboarding, f"{DETAILS}?portfolio_id={portfolio_id}", USER)).json()

    by_symbol = {one["symbol"]: one for one in answer["positions"]}
    assert list(by_symbol) == ["AAPL", "SHOP", "SPY_CALL", "ART_1"]
    short = by_symbol["SHOP"]
    assert (short["position_type"], short["quantity"], short["cost_basis"]) == (
        "SHORT",
        -25,
        -1562.5,
    )
    assert (short["current_price"], short["market_value"], short["reason"]) == (70, -1750, None)
    assert (short["unrealized_pnl"], short["unrealized_pnl_percent"]) == (-187.5, -12)
    option = by_symbol["SPY_CALL"]
    assert (option["position_type"], option["multiplier"], option["cost_basis"]) == (
        "SC",
        100,
        -1100,
    )
    assert (option["strike_price"], option["expiration_date"]) == (450, "2029-12-21")
    assert (option["market_value"], option["reason"]) == (None, "not_calculated_yet")
    assert (by_symbol["ART_1"]["market_value"], by_symbol["ART_1"]["reason"]) == (None, "private")
    assert answer["summary"] == {
        "total_positions": 4,
        "unsupported_currency_positions": 0,
        "priced_positions": 2,
        "total_market_value": 750,
        "total_unrealized_pnl": 1312.5,
        "total_cost_basis": 1000 + 1562.5 + 1100 + 5000,
    }


async def test_positions_in_another_currency_are_listed_with_the_reason_and_in_no_sum(onboarding):
    rows = (
        line("AAPL", "10", "100"),
        line("SAP", "10", "150", currency="EUR"),
        call("SAP_CALL", quantity="2", price="4", underlying_symbol="SAP", currency="EUR"),
        line("CASH_EUR", "1", "700"),
        line("UBS", "5", "20", currency="CHF", exit_date="2024-02-15", exit_price="25"),
    )
    answer = await upload(onboarding, USER, csv_bytes(*rows))
    created = answer.json()
    assert (answer.status_code, created["positions_imported"]) == (201, 5)
    assert created["unsupported_currency_positions"] == 4
    assert created["message"] == (
        "Imported 5 positions into 'Main'. 4 positions in another currency than USD will be "
        "listed, but count in no total."
    )
    known = await positions(onboarding, USER, "?include_closed=true")
    onboarding.neighbours.answers[VALUATIONS] = {
        "valuations": {
            created["portfolio_id"]: {
                "available": True,
                "book_revision": 1,
                "totals": {"net_asset_value": 485_500, "net_market_value": 1_500},
                "positions": [
                    {
                        "position_id": known["AAPL"]["id"],
                        "market_price": 150,
                        "market_value": 1_500,
                        "unrealized_pnl": 500,
                    },
                    *(
                        {"position_id": known[one]["id"], "reason": "unsupported_currency"}
                        for one in ("SAP", "SAP_CALL", "CASH_EUR", "UBS")
                    ),
                ],
            }
        }
    }
    shown = (await get(onboarding, f"{DETAILS}?include_closed=true", USER)).json()

    assert {one["symbol"]: one["currency"] for one in shown["positions"]} == {
        "AAPL": "USD",
        "SAP": "EUR",
        "SAP_CALL": "EUR",
        "CASH_EUR": "EUR",
        "UBS": "CHF",
    }
    for one in shown["positions"][1:]:
        assert one["reason"] == "unsupported_currency"
        figures = ("current_price", "market_value", "unrealized_pnl", "realized_pnl")
        assert [one[name] for name in figures] == [None] * 4
    assert shown["positions"][1]["cost_basis"] == 1_500
    assert shown["summary"] == {
        "total_positions": 5,
        "unsupported_currency_positions": 4,
        "priced_positions": 1,
        "total_market_value": 1_500,
        "total_unrealized_pnl": 500,
        "total_cost_basis": 1_000,
    }


async def test_a_book_of_private_assets_alone_is_worth_nothing_on_the_market(onboarding):
    art = csv_bytes(line("ART_1", "1", "5000", investment_class="PRIVATE"))
    created = (await upload(onboarding, USER, art)).json()
    answer = (
        await get(onboarding, f"{DETAILS}?portfolio_id={created['portfolio_id']}", USER)
    ).json()
    summary = answer["summary"]
    assert (summary["total_market_value"], summary["total_unrealized_pnl"]) == (0, 0)
    assert summary["total_cost_basis"] == 5000


async def test_closed_positions_are_shown_when_asked_for_and_in_no_sum(onboarding, portfolio_id):
    await value(onboarding, portfolio_id)

    answer = (await get(onboarding, f"{DETAILS}?include_closed=true", USER)).json()

    closed = answer["positions"][4]
    assert (closed["symbol"], closed["exit_date"], closed["exit_price"]) == (
        "TSLA",
        "2024-01-15",
        215,
    )
    assert (closed["realized_pnl"], closed["market_value"], closed["reason"]) == (
        1500,
        None,
        "closed",
    )
    assert answer["summary"]["total_positions"] == 5
    assert answer["summary"]["total_cost_basis"] == 1000 + 1562.5 + 1100 + 5000


def malformed(_: Request) -> Response:
    return Response("{not json", media_type="application/json")


def failing(_: Request) -> Response:
    return JSONResponse({"detail": "no"}, 500)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(None, "risk_engine_unavailable", id="404"),
        pytest.param(failing, "risk_engine_unavailable", id="500"),
        pytest.param(malformed, "risk_engine_unavailable", id="not JSON"),
        pytest.param({"valuations": []}, "risk_engine_unavailable", id="another form"),
        pytest.param({"valuations": {}}, "not_calculated_yet", id="unknown there"),
    ],
)
async def test_without_figures_the_book_is_shown_with_the_reason(
    onboarding, portfolio_id, answer, reason
):
    if answer is not None:
        onboarding.neighbours.answers[VALUATIONS] = answer

    (one,) = (await get(onboarding, LIST, USER)).json()
    whole = (await get(onboarding, f"{LIST}/{portfolio_id}", USER)).json()
    listed = (await get(onboarding, DETAILS, USER)).json()

    assert (one["total_value"], one["total_market_value"]) == (None, None)
    for read in (one, whole, listed):
        assert read["valuation"]["available"] is False
        assert read["valuation"]["reason"] == reason
    assert {position["reason"] for position in listed["positions"]} == {reason}
    assert {position["currency"] for position in listed["positions"]} == {"USD"}
    assert listed["summary"]["total_market_value"] is None
    assert listed["summary"]["total_cost_basis"] == 8662.5


async def test_the_reason_risk_engine_gives_is_handed_on(onboarding, portfolio_id):
    onboarding.neighbours.answers[VALUATIONS] = {
        "valuations": {portfolio_id: {"available": False, "reason": "calculation_failed"}}
    }

    (one,) = (await get(onboarding, LIST, USER)).json()

    assert one["valuation"]["reason"] == "calculation_failed"


async def test_figures_of_another_revision_are_not_shown_as_this_ones(onboarding, portfolio_id):
    await value(onboarding, portfolio_id, book_revision=2)

    (one,) = (await get(onboarding, LIST, USER)).json()

    assert (one["total_value"], one["valuation"]["reason"]) == (None, "book_changed")


async def test_a_risk_engine_that_hangs_does_not_hold_up_a_read(onboarding, portfolio_id):
    release = asyncio.Event()

    async def hang(request: Request) -> Response:
        await release.wait()
        return JSONResponse({})

    onboarding.neighbours.app.routes.insert(
        0, Route("/internal/valuations", hang, methods=["POST"])
    )
    try:
        async with asyncio.timeout(6):
            answer = await get(onboarding, LIST, USER)
    finally:
        release.set()

    assert answer.json()[0]["valuation"]["reason"] == "risk_engine_unavailable"


@pytest.mark.parametrize("path", [f"{LIST}/{{id}}", f"{DETAILS}?portfolio_id={{id}}"])
async def test_another_users_portfolio_does_not_exist(onboarding, portfolio_id, path):
    for unknown in (portfolio_id, uuid4()):
        answer = await get(onboarding, path.format(id=unknown), STRANGER)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ERR_PORTFOLIO_404")
    assert (await get(onboarding, LIST, STRANGER)).json() == []


async def test_positions_by_id_are_only_ever_the_callers_own(onboarding, portfolio_id):
    await upload(onboarding, STRANGER, BOOK)
    own = await positions(onboarding, USER)
    foreign = await positions(onboarding, STRANGER)
    chosen = f"?position_ids={own['SHOP']['id']},{foreign['AAPL']['id']}"

    assert list(await positions(onboarding, USER, chosen)) == ["SHOP"]


@pytest.mark.parametrize(
    "path",
    [f"{DETAILS}?position_ids=1,2", f"{DETAILS}?portfolio_id=1", f"{LIST}/1"],
)
async def test_an_id_that_is_none_is_refused(onboarding, portfolio_id, path):
    answer = await get(onboarding, path, USER)

    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_VALIDATION")


@pytest.mark.parametrize("path", [LIST, f"{LIST}/{UUID(int=7)}", DETAILS])
async def test_reads_need_a_token(onboarding, path):
    answer = await onboarding.http.get(path)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ERR_AUTH_001")


@pytest.mark.parametrize(("path", "count"), [(LIST, 1), (f"{LIST}/{{id}}", 3), (DETAILS, 3)])
async def test_a_read_takes_few_statements_and_one_question(onboarding, portfolio_id, path, count):
    await value(onboarding, portfolio_id)
    onboarding.neighbours.requests.clear()

    with statements(onboarding) as seen:
        await get(onboarding, path.format(id=portfolio_id), USER)

    assert len(seen) == count, seen
    asked = [request.url.path for request in onboarding.neighbours.requests]
    assert asked == ["/internal/valuations"]


async def test_services_learn_whose_a_portfolio_is(onboarding, portfolio_id):
    path = f"/internal/portfolios/{portfolio_id}"

    answer = await onboarding.http.get(path, headers=onboarding.internal)

    assert answer.json() == {
        "portfolio_id": portfolio_id,
        "user_id": str(USER),
        "revision": 1,
        "name": "Main",
    }
    unknown = await onboarding.http.get(
        f"/internal/portfolios/{uuid4()}", headers=onboarding.internal
    )
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "ERR_PORTFOLIO_404")


async def test_a_book_can_be_fetched_at_every_revision_it_had(onboarding, portfolio_id):
    await change_book(onboarding, portfolio_id)

    first, second = [await book_at(onboarding, portfolio_id, revision) for revision in (1, 2)]

    assert [one.symbol for one in lots(first)] == ["AAPL", "SHOP", "SPY_CALL", "ART_1", "TSLA"]
    assert [one.symbol for one in lots(second)] == ["AAPL", "SPY_CALL", "ART_1", "TSLA"]
    assert [lots(one)[0].quantity for one in (first, second)] == [10, 12]
    assert (first.name, second.name) == ("Main", "Renamed")
    assert set(await positions(onboarding, USER)) == {"AAPL", "SPY_CALL", "ART_1"}
    absent = await onboarding.http.get(
        f"/internal/books/{portfolio_id}/3", headers=onboarding.internal
    )
    assert absent.status_code == 404


async def change_book(onboarding: Harness, portfolio_id: str) -> None:
    """Write a second revision: one lot grows, one goes, the portfolio is renamed."""
    async with onboarding.service.database.engine.begin() as connection:
        for statement in (
            "CREATE TEMPORARY TABLE renamed ON COMMIT DROP AS SELECT * FROM onboarding.revisions",
            "UPDATE renamed SET revision = 2, name = 'Renamed', reason = 'edit'",
            "INSERT INTO onboarding.revisions SELECT * FROM renamed",
            "UPDATE onboarding.portfolios SET revision = 2",
            "UPDATE onboarding.positions SET until_revision = 2 WHERE symbol IN ('AAPL', 'SHOP')",
            "CREATE TEMPORARY TABLE grown ON COMMIT DROP AS SELECT * FROM onboarding.positions",
            "UPDATE grown SET since_revision = 2, until_revision = NULL, quantity = 12",
            "INSERT INTO onboarding.positions SELECT * FROM grown WHERE symbol = 'AAPL'",
        ):
            await connection.execute(text(statement))


@pytest.mark.parametrize("path", ["/internal/portfolios/{id}", "/internal/books/{id}/1"])
async def test_internal_addresses_do_not_exist_for_anyone_else(onboarding, portfolio_id, path):
    answer = await get(onboarding, path.format(id=portfolio_id), USER)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ERR_NOT_FOUND")
    paths = (await onboarding.http.get("/openapi.json")).json()["paths"]
    assert not [one for one in paths if one.startswith("/internal")]


@pytest.mark.parametrize("revision", [0, 2**31, 99999999999])
async def test_a_revision_beyond_all_counting_is_refused(onboarding, portfolio_id, revision):
    answer = await onboarding.http.get(
        f"/internal/books/{portfolio_id}/{revision}", headers=onboarding.internal
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_VALIDATION")


async def test_clients_are_told_that_cost_bases_are_added_without_their_signs(onboarding):
    document = (await onboarding.http.get("/openapi.json")).json()
    summary = document["components"]["schemas"]["PositionsSummary"]["properties"]
    assert "absolute cost bases" in summary["total_cost_basis"]["description"]
