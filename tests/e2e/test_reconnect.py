"""Seven processes whose broker or database goes away: each says so, and is back by itself."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from tests.support.brokers import forget_namespace
from tests.support.crowd import Crowd
from tests.support.databases import fresh_database
from tests.support.invariants import at_rest
from tests.support.system import SevenProcesses, eventually, is_ready
from tests.support.tcp_proxy import TcpProxy, at_port

pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="module"),
]

BACK_WITHIN = 10.0
"""Seconds until all is well once the line is."""


@dataclass
class Wired:
    """The system, and the lines it hangs on."""

    system: SevenProcesses
    lines: dict[str, TcpProxy]
    admin_url: str

    async def unready(self) -> set[str]:
        """Return the services that do not say that they are ready."""
        async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
            names, addresses = zip(*self.system.addresses.items(), strict=True)
            ready = await asyncio.gather(*(is_ready(http, address) for address in addresses))
        return {name for name, well in zip(names, ready, strict=True) if not well}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wired(request, tmp_path_factory) -> AsyncIterator[Wired]:
    broker = request.getfixturevalue("rabbit_url")
    home = tmp_path_factory.mktemp("home")
    async with (
        fresh_database(request.getfixturevalue("postgres_admin_url")) as fresh,
        TcpProxy.to(fresh.url).listening() as to_database,
        TcpProxy.to(broker).listening() as to_broker,
    ):
        system = SevenProcesses(
            home,
            at_port(fresh.url, to_database.port),
            at_port(broker, to_broker.port),
            fresh.namespace,
        )
        await asyncio.to_thread(system.start)
        yield Wired(system, {"database": to_database, "broker": to_broker}, fresh.url)
        await asyncio.to_thread(system.stop)
        await forget_namespace(broker, fresh.namespace)


@pytest.mark.parametrize("trouble", ["cut", "silence"])
@pytest.mark.parametrize("line", ["broker", "database"])
async def test_every_service_says_that_it_is_cut_off_and_is_back_by_itself(
    wired: Wired, line: str, trouble: str
):
    system, everybody = wired.system, set(wired.system.addresses)
    processes = {name: system.pids(name) for name in everybody}
    crowd = Crowd(system.address, random.Random(1), system.bus(), lambda: wired.admin_url)
    before = await crowd.newcomer()
    await before.upload("AAPL")

    getattr(wired.lines[line], trouble)()

    async def all_unready() -> bool:
        return await wired.unready() == everybody

    await eventually(all_unready, seconds=30)

    wired.lines[line].mend()
    mended = time.monotonic()

    async def all_ready() -> bool:
        return not await wired.unready()

    await eventually(all_ready, seconds=BACK_WITHIN)
    after = await crowd.newcomer()
    await after.upload("MSFT")
    broken = await at_rest(wired.admin_url, crowd.bus, crowd.promised, crowd.heard, seconds=30)
    print(f"{line} {trouble}: at rest {time.monotonic() - mended:.1f} s after the line was mended")
    assert broken == []
    assert crowd.complaints == []
    assert {name: system.pids(name) for name in everybody} == processes, "nobody was restarted"
    for person in (before, after):
        await person.close()
    crowd.leave()
    await crowd.bus.close()
