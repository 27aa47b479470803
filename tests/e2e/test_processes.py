"""The supervisor: how it starts, what it keeps up, how it replaces and ends seven processes."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from common.settings import SERVICES
from tests.support.brokers import forget_namespace
from tests.support.databases import fresh_database
from tests.support.invariants import at_rest
from tests.support.system import SevenProcesses, eventually, free_port, lives
from tests.support.traffic import HUNG_UP, UNAVAILABLE, Traffic

pytestmark = [pytest.mark.rabbitmq, pytest.mark.timeout(300)]

QUIET = {"GATEWAY_ATTEMPTS_PER_MINUTE": "100000"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seven(request, tmp_path_factory) -> AsyncIterator[SevenProcesses]:
    """The system, with two processes of the risk engine."""
    broker = request.getfixturevalue("rabbit_url")
    home = tmp_path_factory.mktemp("home")
    async with fresh_database(request.getfixturevalue("postgres_admin_url")) as fresh:
        system = SevenProcesses(
            home, fresh.url, broker, fresh.namespace, extra=QUIET, replicas=("risk-engine=2",)
        )
        system.start()
        yield system
        system.stop()
        await forget_namespace(broker, fresh.namespace)


def refused_start(system: SevenProcesses) -> str:
    system.process.start()
    assert system.process.ended(within=60) == 1
    return system.process.log.read_text().strip()


def test_without_a_database_it_says_what_to_set(tmp_path: Path):
    said = refused_start(SevenProcesses(tmp_path))
    assert said.startswith("DATABASE_URL is not set")
    assert "\n" not in said


def test_a_port_that_is_taken_is_named_with_the_setting_that_moves_it(tmp_path: Path):
    system = SevenProcesses(tmp_path, "postgresql://nobody@127.0.0.1:1/nothing")
    with socket.create_server(("127.0.0.1", system.ports["marketdata"])):
        said = refused_start(system)
    assert said.startswith(f"marketdata cannot listen on {system.addresses['marketdata']}")
    assert "MARKETDATA_PORT" in said


def test_a_start_that_cannot_succeed_ends_with_the_sentence_of_who_could_not(tmp_path: Path):
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    said = refused_start(SevenProcesses(tmp_path, nowhere)).splitlines()
    assert "the database does not answer" in said[-1]
    assert said[-1].partition(":")[0] in SERVICES


@pytest.mark.asyncio(loop_scope="module")
async def test_a_process_that_is_killed_is_started_again_and_its_callers_wait(
    seven: SevenProcesses,
):
    before = {name: seven.pids(name) for name in SERVICES}
    assert {name: len(pids) for name, pids in before.items()} == {
        **dict.fromkeys(SERVICES, 1),
        "risk-engine": 2,
    }
    traffic = Traffic.to(seven, seed=1)
    person = await traffic.newcomer()
    for pid in [*before["onboarding"], before["risk-engine"][0]]:
        os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(wait_until_gone, before["onboarding"][0])
    await person.upload("AAPL")  # nobody is there, and nobody is refused
    await eventually(lambda: replaced(seven, before), seconds=60)
    assert seven.pids("auth") == before["auth"]
    assert seven.pids("risk-engine")[0] == before["risk-engine"][1]
    assert traffic.failures.total() == 0
    await person.close()
    await traffic.end()


async def replaced(seven: SevenProcesses, before: dict[str, list[int]]) -> bool:
    return all(
        seven.pids(name) != before[name] and len(seven.pids(name)) == len(before[name])
        for name in ("onboarding", "risk-engine")
    )


def wait_until_gone(pid: int) -> None:
    while lives(pid):
        time.sleep(0.01)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_rolling_restart_under_load_fails_no_request(seven: SevenProcesses):
    before = {name: set(seven.pids(name)) for name in SERVICES}
    traffic = Traffic.to(seven, seed=1)
    async with traffic.flowing(people=2):
        seven.replace_all()
        await eventually(lambda: said(seven, "replaced_all"), seconds=200)
    for name in SERVICES:
        assert not before[name] & set(seven.pids(name)), name
        assert len(seven.pids(name)) == len(before[name]), name
    print(f"{traffic.requests} requests, failures {dict(traffic.failures)}")
    assert traffic.complaints == []
    # A request sent on a kept connection at the moment when it is closed is lost to a client by its
    # own, and by one of the gateway's to a service answered 503. It succeeds when asked again.
    assert set(traffic.failures) <= {HUNG_UP, UNAVAILABLE}
    assert traffic.failures.total() <= max(2, traffic.requests // 100)
    assert traffic.promised.imports
    broken = await at_rest(
        seven.admin_url(), traffic.bus, traffic.promised, traffic.heard, seconds=60
    )
    assert broken == []
    await traffic.end()


async def said(seven: SevenProcesses, words: str) -> bool:
    log = seven.process.log.read_text()
    assert "replacing_stopped" not in log, log
    return words in log


@pytest.mark.asyncio(loop_scope="module")
async def test_the_processes_end_in_order_when_their_supervisor_is_killed(seven: SevenProcesses):
    """The last of the module: the system is gone afterwards."""
    pids = [pid for name in SERVICES for pid in seven.pids(name)]
    assert len(pids) == 8
    seven.kill()
    await eventually(lambda: none_of(pids), seconds=30)
    assert "Traceback" not in seven.log_of("gateway")


async def none_of(pids: list[int]) -> bool:
    return not any(lives(pid) for pid in pids)
