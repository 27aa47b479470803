"""An administrator and the dead letters of the whole system, as the scheduler shows them."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert
from starlette.requests import Request
from starlette.responses import JSONResponse

from common.bus import DeadLetter
from common.dead_letters import Letter
from common.dead_letters.letters import page_of
from common.events import Envelope
from common.settings import SERVICES
from tests.integration.scheduler_world import created, service
from tests.support.harness import Harness, running

LETTERS = "/api/v1/admin/dead-letters"
INTERNAL = "/internal/dead-letters"
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
ADMIN = UUID(int=7)
SECRET = "SECRETSYMBOL"


@pytest.fixture
async def scheduler(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("scheduler", service, database, tmp_path) as harness:
        yield harness


@pytest.fixture
def boss(scheduler: Harness) -> dict[str, str]:
    return scheduler.neighbours.bearer(ADMIN, role="admin")


def dead(queue: str, number: int, reason: str) -> DeadLetter:
    event = Envelope.of(created(uuid4(), uuid4()), producer="onboarding", run_id=UUID(int=number))
    book = {**event.payload["book"], "name": SECRET + "x" * 5_000_000 * (number == 0)}
    body = event.model_copy(update={"payload": {"book": book}}).to_bytes()
    return DeadLetter(
        id=str(number),
        queue=queue,
        routing_key="portfolio.created.v1",
        body=body,
        size=len(body),
        message_id=event.id,
        reason=reason,
        stack=f"Traceback\n{reason}",
        attempts=3,
        traceparent=None,
        died_at=NOON,
    )


def work_letter(name: str) -> Letter:
    return Letter(
        id=f"work:{name}:{UUID(int=5)}",
        kind="work",
        service=name,
        name="calculate",
        group="abc",
        reason="ValueError: 1",
        attempts=3,
        died_at=NOON,
        size=10,
    )


@pytest.fixture
def three_letters(scheduler: Harness) -> None:
    """Two messages of one cause and one of another; the neighbours have no letters."""
    scheduler.bus.letters = [
        dead("risk-engine", 0, "KeyError: 'AAPL'"),
        dead("risk-engine", 1, "KeyError: 'MSFT'"),
        dead("chat", 2, "ValueError: no"),
    ]
    empty = page_of([], total=0, group=None, limit=0).model_dump(mode="json")
    scheduler.neighbours.answers[f"GET {INTERNAL}"] = empty
    scheduler.neighbours.answers[f"POST {INTERNAL}/redrive"] = {"moved": 0}
    scheduler.neighbours.answers[f"POST {INTERNAL}/discard"] = {"moved": 0}


@pytest.mark.usefixtures("three_letters")
async def test_letters_of_all_places_are_listed_by_cause_without_their_contents(scheduler, boss):
    answer = await scheduler.http.get(LETTERS, headers=boss)
    found = answer.json()
    assert answer.status_code == 200
    assert [(one["service"], one["count"]) for one in found["groups"]] == [
        ("risk-engine", 2),
        ("chat", 1),
    ]
    assert (found["total"], found["complete"], found["unreachable"]) == (3, True, [])
    assert {one["id"] for one in found["letters"]} == {
        "queue:risk-engine:0",
        "queue:risk-engine:1",
        "queue:chat:2",
    }
    assert max(one["size"] for one in found["letters"]) > 5_000_000
    assert SECRET not in answer.text
    assert len(answer.content) < 10_000

    for query, total in [
        ({"service": "chat"}, 1),
        ({"kind": "work"}, 0),
        ({"group": found["groups"][0]["id"]}, 2),
        ({"group": "none"}, 0),
    ]:
        some = (await scheduler.http.get(LETTERS, params=query, headers=boss)).json()
        assert some["total"] == sum(group["count"] for group in some["groups"]) == total
    few = (await scheduler.http.get(LETTERS, params={"limit": 1}, headers=boss)).json()
    assert (len(few["letters"]), few["total"]) == (1, 3)


@pytest.mark.usefixtures("three_letters")
async def test_one_letter_is_shown_whole(scheduler, boss):
    answer = await scheduler.http.get(f"{LETTERS}/queue:risk-engine:1", headers=boss)
    letter = answer.json()
    assert letter["payload"]["book"]["name"] == SECRET
    assert letter["stack"] == "Traceback\nKeyError: 'MSFT'"
    assert letter["run_id"] == str(UUID(int=1))
    for wrong in (
        "queue:risk-engine:9",
        "queue:onboarding:1",
        "17",
        "work:chat:17",
        "a/b",
        "redrive",
    ):
        gone = await scheduler.http.get(f"{LETTERS}/{wrong}", headers=boss)
        assert (gone.status_code, gone.json()["error"]["code"]) == (404, "ERR_LETTER_001")


@pytest.mark.usefixtures("three_letters")
async def test_a_group_is_redriven_once_however_often_it_is_asked_for(scheduler, boss, caplog):
    group = (await scheduler.http.get(LETTERS, headers=boss)).json()["groups"][0]["id"]
    with caplog.at_level(logging.WARNING):
        moved = await scheduler.http.post(f"{LETTERS}/redrive", json={"group": group}, headers=boss)
    assert moved.json() == {"moved": 2, "places": {"queue:risk-engine": 2}, "unreachable": []}
    again = await scheduler.http.post(f"{LETTERS}/redrive", json={"group": group}, headers=boss)
    assert again.json() == {"moved": 0, "places": {}, "unreachable": []}
    assert [one.id for one in scheduler.bus.redriven] == ["0", "1"]

    [line, _] = [one.msg for one in caplog.records if "dead_letters_moved" in str(one.msg)]
    assert line["by"] == str(ADMIN)
    assert (line["what"], line["asked_for"]) == ("redriven", {"group": group})
    assert line["moved"] == {"queue:risk-engine": 2}
    assert SECRET not in caplog.text, "positions are for administrators, not for logs"


@pytest.mark.usefixtures("three_letters")
async def test_letters_are_discarded_by_id_by_service_or_all_of_them(scheduler, boss):
    async def discard(**selection: object) -> int:
        answer = await scheduler.http.post(f"{LETTERS}/discard", json=selection, headers=boss)
        return int(answer.json()["moved"])

    assert await discard(ids=["queue:risk-engine:1"]) == 1
    assert await discard(all=True, service="chat") == 1
    assert await discard(all=True, kind="work") == 0
    assert await discard(all=True) == 1
    assert await discard(all=True) == 0


@pytest.mark.usefixtures("three_letters")
async def test_all_must_be_said(scheduler, boss):
    wrongs: list[dict[str, object]] = [
        {},
        {"all": False},
        {"ids": []},
        {"ids": ["17"]},
        {"all": True, "group": "a"},
    ]
    for wrong in wrongs:
        for verb in ("redrive", "discard"):
            answer = await scheduler.http.post(f"{LETTERS}/{verb}", json=wrong, headers=boss)
            assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_VALIDATION")
    for query in ({"service": "nobody"}, {"kind": "x"}, {"limit": 1_001}):
        answer = await scheduler.http.get(LETTERS, params=query, headers=boss)
        assert answer.json()["error"]["code"] == "ERR_VALIDATION"
    assert len(scheduler.bus.letters) == 3


@pytest.mark.usefixtures("three_letters")
async def test_the_work_of_other_services_is_asked_for_and_moved_through_them(scheduler, boss):
    def look(request: Request) -> JSONResponse:
        page = page_of([work_letter("chat")], total=1, group=None, limit=1)
        mine = request.query_params.get("group") in (None, "abc")
        shown = page if mine else page_of([], total=0, group=None, limit=1)
        return JSONResponse(shown.model_dump(mode="json"))

    asked: list[object] = []

    def redrive(request: Request) -> JSONResponse:
        asked.append(json.loads(request._body))
        return JSONResponse({"moved": 1})

    scheduler.neighbours.answers[f"GET {INTERNAL}"] = look
    scheduler.neighbours.answers[f"POST {INTERNAL}/redrive"] = redrive
    query = {"service": "chat", "kind": "work"}
    found = (await scheduler.http.get(LETTERS, params=query, headers=boss)).json()
    assert [one["id"] for one in found["letters"]] == [f"work:chat:{UUID(int=5)}"]
    selection = {"ids": [f"work:chat:{UUID(int=5)}"]}
    moved = await scheduler.http.post(f"{LETTERS}/redrive", json=selection, headers=boss)
    assert moved.json()["places"] == {"work:chat": 1}
    assert len(asked) == 1, "only the service that the id names"
    token = {one.headers.get("x-internal-token") for one in scheduler.neighbours.requests[-2:]}
    assert token == {scheduler.platform.internal_token}


@pytest.mark.usefixtures("three_letters")
async def test_a_service_that_does_not_answer_is_named_and_its_queue_is_served_all_the_same(
    scheduler, boss
):
    del scheduler.neighbours.answers[f"GET {INTERNAL}"]
    found = (await scheduler.http.get(LETTERS, headers=boss)).json()
    others = sorted(f"work:{name}" for name in SERVICES if name != "scheduler")
    assert [one["place"] for one in found["unreachable"]] == others
    assert found["unreachable"][0]["reason"] == "auth answered 404 about its letters"
    assert (found["total"], found["complete"]) == (3, False)

    scheduler.bus.down = True
    scheduler.neighbours.answers[f"POST {INTERNAL}/redrive"] = [1]
    moved = await scheduler.http.post(f"{LETTERS}/redrive", json={"all": True}, headers=boss)
    assert moved.json()["moved"] == 0
    assert len(moved.json()["unreachable"]) == 12, "six queues and six services"
    gone = await scheduler.http.get(f"{LETTERS}/queue:chat:2", headers=boss)
    assert gone.json()["error"]["code"] == "ERR_UNAVAILABLE"


@pytest.mark.usefixtures("three_letters")
async def test_the_schedulers_own_work_is_among_them(scheduler, boss):
    work = scheduler.service.unit_of_work.tables.work
    async with scheduler.service.unit_of_work.begin() as unit:
        await unit.connection.execute(
            insert(work).values(
                id=uuid4(),
                kind="sweep",
                payload={},
                cause={},
                expires_at=NOON,
                died_at=NOON,
                reason="ValueError: 1",
            )
        )
    query = {"service": "scheduler"}
    found = (await scheduler.http.get(LETTERS, params=query, headers=boss)).json()
    assert [(one["kind"], one["name"]) for one in found["groups"]] == [("work", "sweep")]
    moved = await scheduler.http.post(f"{LETTERS}/discard", json={"all": True}, headers=boss)
    assert moved.json()["places"]["work:scheduler"] == 1


@pytest.mark.usefixtures("three_letters")
async def test_letters_are_for_administrators_only(scheduler):
    user = scheduler.neighbours.bearer(uuid4())
    for method, path in [
        ("GET", LETTERS),
        ("GET", f"{LETTERS}/queue:chat:2"),
        ("POST", f"{LETTERS}/redrive"),
        ("POST", f"{LETTERS}/discard"),
    ]:
        for headers, refusal in [(user, (403, "ERR_AUTH_002")), ({}, (401, "ERR_AUTH_001"))]:
            answer = await scheduler.http.request(method, path, json={"all": True}, headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == refusal
    assert len(scheduler.bus.letters) == 3
