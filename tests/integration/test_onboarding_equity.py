"""An account's equity balance, stated again: a new revision, one event, nothing when unchanged."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import text

from common.events.onboarding import PortfolioChanged
from tests.support.harness import Harness, running
from tests.support.onboarding import book_at, get, lots, service, upload

USER, STRANGER = uuid4(), uuid4()


@pytest.fixture
async def onboarding(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("onboarding", service, database, tmp_path) as harness:
        yield harness


@pytest.fixture
async def portfolio_id(onboarding) -> str:
    answer = await upload(onboarding, USER, description="Mine")
    assert answer.status_code == 201, answer.text
    return str(answer.json()["portfolio_id"])


async def state(
    onboarding: Harness, portfolio_id: str | UUID, equity_balance: Any, user_id: UUID = USER
) -> httpx.Response:
    return await onboarding.http.put(
        f"/api/v1/analytics/portfolio/{portfolio_id}/equity",
        headers=onboarding.neighbours.bearer(user_id),
        json={"equity_balance": equity_balance},
    )


async def changes(onboarding: Harness, count: int) -> list[PortfolioChanged]:
    """Wait for this many announcements; return all there are."""

    def enough() -> bool:
        return len(onboarding.bus.events(PortfolioChanged)) >= count

    await onboarding.eventually(enough)
    return [
        one for one in onboarding.bus.events(PortfolioChanged) if isinstance(one, PortfolioChanged)
    ]


async def test_another_balance_is_a_new_revision_of_the_same_book(onboarding, portfolio_id):
    before = await book_at(onboarding, portfolio_id)

    answer = await state(onboarding, portfolio_id, 500000.55)

    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["portfolio_id"], body["equity_balance"]) == (portfolio_id, 500000.55)
    assert (body["revision"], body["changed"]) == (2, True)
    assert body["opening_session"] == before.opening_session.isoformat()
    assert body["message"].startswith("The equity balance of 'Main' is now 500,000.55 USD")
    after = await book_at(onboarding, portfolio_id, 2)
    assert after == before.model_copy(
        update={"revision": 2, "equity_balance": Decimal("500000.55")}
    )
    assert len(lots(after)) == 3
    assert await book_at(onboarding, portfolio_id) == before


async def test_the_change_is_announced_to_its_owner_with_the_book_as_it_is_stored(
    onboarding, portfolio_id
):
    await state(onboarding, portfolio_id, "12345.67")

    (changed,) = await changes(onboarding, 1)
    envelope = onboarding.bus.published[-1]
    assert (envelope.name, envelope.user_id) == ("portfolio.changed", USER)
    assert envelope.run_id is None  # neither an import's nor a command's
    assert changed.book == await book_at(onboarding, portfolio_id, 2)


async def test_reads_show_the_new_balance_and_that_figures_of_the_old_book_are_none(
    onboarding, portfolio_id
):
    onboarding.neighbours.answers["POST /internal/valuations"] = {
        "valuations": {
            portfolio_id: {
                "available": True,
                "book_revision": 1,
                "totals": {"net_asset_value": 485000.0},
            }
        }
    }
    await state(onboarding, portfolio_id, 400000)

    found = (await get(onboarding, f"/api/v1/data/portfolios/{portfolio_id}", USER)).json()
    assert (found["equity_balance"], found["revision"]) == (400000, 2)
    assert (found["description"], found["imported_from"]["positions"]) == ("Mine", 3)
    assert found["total_value"] is None
    assert found["valuation"]["reason"] == "book_changed"


@pytest.mark.parametrize("same", [485000, 485000.0, "485000.00"])
async def test_the_same_balance_again_changes_nothing(onboarding, portfolio_id, same):
    answer = await state(onboarding, portfolio_id, same)

    body = answer.json()
    assert (answer.status_code, body["changed"]) == (200, False)
    assert (body["revision"], body["equity_balance"]) == (1, 485000)
    assert "is already 485,000.00 USD" in body["message"]
    await state(onboarding, portfolio_id, 485001)
    assert [one.book.revision for one in await changes(onboarding, 1)] == [2]


async def test_balances_stated_at_once_are_revisions_one_after_the_other(onboarding, portfolio_id):
    answers = await asyncio.gather(
        *(state(onboarding, portfolio_id, 1000 + number) for number in range(5))
    )

    assert [one.status_code for one in answers] == [200] * 5
    assert sorted(one.json()["revision"] for one in answers) == [2, 3, 4, 5, 6]
    said = {one.json()["revision"]: one.json()["equity_balance"] for one in answers}
    announced = await changes(onboarding, 5)
    assert {one.book.revision: float(one.book.equity_balance) for one in announced} == said
    found = (await get(onboarding, f"/api/v1/data/portfolios/{portfolio_id}", USER)).json()
    assert found["equity_balance"] == said[6]


@pytest.mark.parametrize(
    ("balance", "codes"),
    [
        (0, ["ERR_PORT_004"]),
        (-1, ["ERR_PORT_005"]),
        (1e12 + 1, ["ERR_PORT_006"]),
        (1e300, ["ERR_PORT_006"]),
        (1.001, ["ERR_PORT_010"]),
        (-0.001, ["ERR_PORT_005", "ERR_PORT_010"]),
        ("NaN", ["ERR_PORT_011"]),
    ],
)
async def test_a_balance_no_import_would_take_is_refused(onboarding, portfolio_id, balance, codes):
    answer = await state(onboarding, portfolio_id, balance)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, codes[0])
    assert [fault["code"] for fault in error["details"]["errors"]] == codes
    assert {fault["field"] for fault in error["details"]["errors"]} == {"equity_balance"}
    assert await book_revision(onboarding, portfolio_id) == 1


@pytest.mark.parametrize(
    "content",
    [
        b'{"equity_balance": NaN}',
        b'{"equity_balance": Infinity}',
        b'{"equity_balance": 1e999}',
        b'{"equity_balance": ' + b"9" * 5_000 + b"}",
        b'{"equity_balance": true}',
        b'{"equity_balance": null}',
        b'{"equity_balance": "a lot"}',
        b"{}",
        b"",
        b"485000",
    ],
)
async def test_what_is_no_balance_is_refused(onboarding, portfolio_id, content):
    answer = await onboarding.http.put(
        f"/api/v1/analytics/portfolio/{portfolio_id}/equity",
        headers=onboarding.neighbours.bearer(USER) | {"content-type": "application/json"},
        content=content,
    )

    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["error"]["code"] in ("ERR_PORT_011", "ERR_VALIDATION", "ERR_HTTP")
    assert await book_revision(onboarding, portfolio_id) == 1


async def test_another_users_portfolio_does_not_exist(onboarding, portfolio_id):
    strangers = await state(onboarding, portfolio_id, 1, STRANGER)
    nobodys = await state(onboarding, uuid4(), 1)

    for answer in (strangers, nobodys):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ERR_PORTFOLIO_404")
    assert await book_revision(onboarding, portfolio_id) == 1


async def test_a_deleted_portfolio_does_not_exist(onboarding, portfolio_id):
    async with onboarding.service.database.engine.begin() as connection:
        await connection.execute(text("UPDATE onboarding.portfolios SET deleted_at = now()"))

    answer = await state(onboarding, portfolio_id, 1)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ERR_PORTFOLIO_404")


async def test_without_a_token_nothing_else_is_looked_at(onboarding, portfolio_id):
    answer = await onboarding.http.put(
        f"/api/v1/analytics/portfolio/{portfolio_id}/equity", json={"equity_balance": 1}
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "ERR_AUTH_001")


async def book_revision(onboarding: Harness, portfolio_id: str) -> int:
    answer = await onboarding.http.get(
        f"/internal/portfolios/{portfolio_id}", headers=onboarding.internal
    )
    return int(answer.json()["revision"])
