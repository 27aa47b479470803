"""How a service ends: what is under way is answered, what is new goes elsewhere."""

import asyncio
import time

import httpx
import pytest

from chat.main import build
from chat.settings import Settings
from common import http
from common.stopping import Stopping
from tests.support.harness import Harness, running


@pytest.fixture
async def chat(database, tmp_path):
    """A service with a route that answers when it is told to."""
    async with running(
        "chat", lambda platform: build(Settings(), platform), database, tmp_path
    ) as harness:
        harness.service.app.state.leave = leave = asyncio.Event()
        harness.service.app.state.asked = asked = asyncio.Event()

        @harness.service.app.get("/slow")
        async def slow() -> str:
            asked.set()
            await leave.wait()
            return "done"

        yield harness
        leave.set()


def stop(harness: Harness, finish: float) -> None:
    stopping: Stopping = harness.platform.stopping
    stopping._finish = finish
    stopping.set()


async def test_a_request_under_way_is_answered_and_its_connection_closed(chat: Harness):
    request = asyncio.create_task(chat.http.get("/slow"))
    await chat.service.app.state.asked.wait()
    stop(chat, 5)
    await asyncio.sleep(0.7)
    chat.service.app.state.leave.set()
    answer = await request
    assert (answer.status_code, answer.json()) == (200, "done")
    assert answer.headers["connection"] == "close"


async def test_a_request_that_comes_on_a_kept_connection_is_answered_all_the_same(chat: Harness):
    assert (await chat.http.get("/health")).headers.get("connection") != "close"
    stop(chat, 5)
    await asyncio.sleep(0.3)  # the server has begun to end
    answer = await chat.http.get("/health")
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


async def test_nobody_new_is_let_in(chat: Harness):
    stop(chat, 5)
    await asyncio.sleep(0.3)
    async with httpx.AsyncClient(base_url=chat.http.base_url, trust_env=False) as newcomer:
        with pytest.raises(httpx.ConnectError):
            await newcomer.get("/health")


async def test_a_request_that_outlasts_the_grace_is_told_to_come_again(chat: Harness):
    request = asyncio.create_task(chat.http.get("/slow"))
    await chat.service.app.state.asked.wait()
    stop(chat, 0.1)
    answer = await request
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "ERR_UNAVAILABLE"
    assert answer.headers["retry-after"] == "2"


async def test_a_dependency_that_says_nothing_makes_a_service_unready(chat: Harness, monkeypatch):
    monkeypatch.setattr(http, "CHECK_SECONDS", 0.2)

    async def silent() -> None:
        await asyncio.Event().wait()

    chat.service.app.state.readiness["oracle"] = silent
    chat.service.app.state.readiness["pythia"] = silent
    began = time.monotonic()
    answer = await chat.http.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["oracle"] == "no answer within 0.2 s"
    assert answer.json()["checks"]["database"] == "ok"
    assert time.monotonic() - began < 2
