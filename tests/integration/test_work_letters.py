"""The dead letters of a work table: seen, redriven, discarded, by its service and by others."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from chat.main import build
from chat.settings import Settings
from common.dead_letters import Selection
from common.dead_letters.api import BODY_LIMIT, PATH
from common.dead_letters.work import WorkLetters
from common.retry import Retry
from common.service import Platform, Service
from common.unit_of_work import Cause, UnitOfWork
from common.work import Finish, Job, Work, Worker
from tests.integration.messaging_world import Errand, count
from tests.support.harness import Harness, running

QUICK = Retry(ladder=(0.01,), attempts=2)
TRACE = "0af7651916cd43dd8448eb211c80319c"
ALL = Selection(all=True)


class Errands:
    """A kind of work that fails until it is mended."""

    def __init__(self) -> None:
        self.broken = True
        self.done: list[str] = []
        self.given_up: list[str] = []

    @property
    def jobs(self) -> dict[str, Job]:
        return {"errand": Job(self._run, self._give_up)}

    async def _run(self, work: Work, finish: Finish) -> None:
        if self.broken:
            raise ValueError(f"errand {len(self.given_up)}: no shop for {work.payload['name']!r}")
        async with finish():
            self.done.append(work.payload["name"])

    async def _give_up(self, work: Work, _reason: str, _unit: object) -> None:
        self.given_up.append(work.payload["name"])


@pytest.fixture
def letters(unit_of_work: UnitOfWork) -> WorkLetters:
    return WorkLetters(unit_of_work, "chat")


async def enqueue(unit_of_work: UnitOfWork, *names: str, cause: Cause | None = None) -> None:
    async with unit_of_work.begin(cause) as unit:
        for name in names:
            unit.enqueue("errand", Errand(name=name))


async def dead(letters: WorkLetters, count: int) -> None:
    async with asyncio.timeout(20):
        while (await letters.look(group=None, limit=0)).total < count:
            await asyncio.sleep(0.02)


@pytest.fixture
async def given_up(unit_of_work, letters) -> Errands:
    """Three errands that were given up."""
    errands = Errands()
    cause = Cause(run_id=uuid4(), user_id=uuid4(), traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
    async with Worker(unit_of_work, errands.jobs, retry=QUICK).running():
        await enqueue(unit_of_work, "bread", "milk", "salt", cause=cause)
        await dead(letters, 3)
    return errands


async def test_rows_that_were_given_up_are_letters_of_one_cause(letters, given_up):
    page = await letters.look(group=None, limit=2)
    [group] = page.groups
    assert (group.count, group.kind, group.service, group.name) == (3, "work", "chat", "errand")
    assert (group.most_attempts, len(page.letters), page.total) == (2, 2, 3)
    letter = page.letters[0]
    assert letter.reason.startswith("ValueError: errand ")
    assert letter.trace_id == TRACE
    assert letter.run_id is not None
    assert letter.user_id is not None
    whole = await letters.find(letter.id.removeprefix("work:chat:"))
    assert whole is not None
    assert whole.payload["name"] in {"bread", "milk", "salt"}
    assert "raise ValueError" in whole.stack
    assert whole.occurred_at < whole.died_at
    for nobody in (str(uuid4()), "17", ""):
        assert await letters.find(nobody) is None


async def test_a_redriven_row_is_worked_on_at_once_as_if_it_were_new(
    unit_of_work, letters, given_up
):
    """The worker wakes: it does not wait for its next look at the table."""
    given_up.broken = False
    async with Worker(unit_of_work, given_up.jobs, retry=QUICK).running():
        await asyncio.sleep(0.05)
        assert await letters.redrive(ALL) == 3
        async with asyncio.timeout(0.8):
            while len(given_up.done) < 3:
                await asyncio.sleep(0.01)
        assert await letters.redrive(ALL) == 0
    assert sorted(given_up.done) == ["bread", "milk", "salt"]
    assert await count(unit_of_work, unit_of_work.tables.work) == 0


async def test_a_redriven_row_has_its_attempts_and_a_deadline_of_its_own(
    unit_of_work, letters, given_up
):
    assert await letters.redrive(ALL) == 3
    async with unit_of_work.begin() as unit:
        for row in await unit.connection.execute(select(unit_of_work.tables.work)):
            assert (row.attempts, row.deaths, row.died_at, row.reason) == (0, 0, None, None)
            assert row.expires_at - row.available_at == timedelta(hours=24)
    async with Worker(unit_of_work, given_up.jobs, retry=QUICK).running():
        await dead(letters, 3)
    page = await letters.look(group=None, limit=3)
    assert [letter.attempts for letter in page.letters] == [2, 2, 2]
    assert len(given_up.given_up) == 6


async def test_only_the_named_rows_or_those_of_a_cause_are_moved(unit_of_work, letters, given_up):
    page = await letters.look(group=None, limit=3)
    one = Selection(ids=(page.letters[0].id, f"work:chat:{uuid4()}", "queue:chat:1"))
    assert await letters.redrive(one) == 1
    assert await letters.redrive(one) == 0
    assert await letters.discard(Selection(group="another")) == 0
    assert await letters.discard(Selection(group=page.groups[0].id)) == 2
    assert await count(unit_of_work, unit_of_work.tables.work) == 1, "what lives is not discarded"
    assert await letters.discard(ALL) == 0


async def test_rows_that_two_redrive_at_once_are_moved_once(letters, given_up):
    group = (await letters.look(group=None, limit=0)).groups[0].id
    moved = await asyncio.gather(
        *(letters.redrive(ALL) for _ in range(4)),
        *(letters.redrive(Selection(group=group)) for _ in range(4)),
    )
    assert sum(moved) == 3


def service(platform: Platform) -> Service:
    return build(Settings(), platform)


@pytest.fixture
async def chat(database, tmp_path) -> AsyncIterator[Harness]:
    async with running("chat", service, database, tmp_path) as harness:
        yield harness


async def test_a_service_answers_others_about_its_own_letters(chat, given_up):
    listed = await chat.http.get(PATH, params={"limit": 1}, headers=chat.internal)
    assert listed.status_code == 200
    page = listed.json()
    assert (page["total"], page["groups"][0]["count"], len(page["letters"])) == (3, 3, 1)
    letter_id = page["letters"][0]["id"]
    within = letter_id.removeprefix("work:chat:")
    whole = await chat.http.get(f"{PATH}/{within}", headers=chat.internal)
    assert whole.json()["payload"]["name"] in {"bread", "milk", "salt"}

    async def ask(verb: str, **selection: object) -> int:
        answer = await chat.http.post(f"{PATH}/{verb}", json=selection, headers=chat.internal)
        return int(answer.json()["moved"])

    assert await ask("redrive", ids=[letter_id]) == 1
    assert await ask("redrive", ids=[letter_id]) == 0
    assert await ask("discard", group=page["groups"][0]["id"]) == 2
    assert await ask("discard", all=True) == 0
    gone = await chat.http.get(f"{PATH}/{within}", headers=chat.internal)
    assert gone.status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"ids": ["17"]}', b'{"all": false}'])
async def test_a_selection_that_cannot_be_read_moves_nothing(chat, given_up, letters, body):
    answer = await chat.http.post(f"{PATH}/discard", content=body, headers=chat.internal)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "ERR_VALIDATION")
    assert (await letters.look(group=None, limit=0)).total == 3


async def test_the_letters_are_for_other_services_only(chat):
    for method, path in [("GET", PATH), ("GET", f"{PATH}/1"), ("POST", f"{PATH}/discard")]:
        for headers in ({}, {"X-Internal-Token": "guessed"}):
            answer = await chat.http.request(method, path, headers=headers, content=b"{")
            assert (answer.status_code, answer.json()["detail"]) == (404, "Not Found")
    large = await chat.http.post(
        f"{PATH}/redrive", content=b" " * (BODY_LIMIT + 1), headers=chat.internal
    )
    assert large.status_code == 413
