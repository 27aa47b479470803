"""Every service in a process of its own; what is not up yet misses nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from common.settings import SERVICES, schema_of
from deploy.cli.client import Client
from tests.support.brokers import forget_namespace
from tests.support.databases import ROLE_SECRET, fresh_database
from tests.support.system import Process, eventually, free_port, wait_until_ready

INVITE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
BOOK = b"Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,10,150.00,2024-01-16\n"
FIRST = ("auth", "onboarding", "gateway")


@pytest.fixture(params=["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def processes(request, postgres_admin_url, tmp_path: Path) -> AsyncIterator[dict]:
    """One process per service, none started yet."""
    broker = "" if request.param == "postgres" else request.getfixturevalue("rabbit_url")
    ports = {name: free_port() for name in SERVICES}
    async with fresh_database(postgres_admin_url) as fresh:
        shared = {
            "DATABASE_URL": fresh.url,
            "BROKER": broker,
            "NAMESPACE": fresh.namespace,
            "SERVICE_ROLE_SECRET": ROLE_SECRET,
            "INTERNAL_TOKEN": "only-for-tests",
            "SIGMASIGHT_HOME": str(tmp_path),
            **{
                f"{schema_of(name).upper()}_URL": f"http://127.0.0.1:{port}"
                for name, port in ports.items()
            },
            **{f"{schema_of(name).upper()}_PORT": str(port) for name, port in ports.items()},
        }
        environment = {name: value for name, value in shared.items() if value}
        made = {
            name: Process(f"{schema_of(name)}.main", environment, tmp_path / f"{name}.log")
            for name in SERVICES
        }
        yield {
            "processes": made,
            "addresses": {name: f"http://127.0.0.1:{port}" for name, port in ports.items()},
        }
        for process in made.values():
            if process.running():
                process.stop()
        if broker:
            await forget_namespace(broker, fresh.namespace)


@pytest.mark.timeout(240)
async def test_an_import_waits_for_the_services_that_are_not_up_and_loses_nothing(processes):
    running, addresses = processes["processes"], processes["addresses"]
    for name in FIRST:
        running[name].start()
    for name in FIRST:
        await asyncio.to_thread(wait_until_ready, addresses[name], [running[name]])
    async with Client(addresses["gateway"]) as client:
        email = f"{uuid4().hex}@example.com"
        await client.register(email, "Secret-123", "Early Bird", INVITE)
        await client.login(email, "Secret-123")
        created = await client.create_portfolio("Early", "5000", ("book.csv", BOOK))
        portfolio_id = str(created["portfolio_id"])
        for name in set(SERVICES) - set(FIRST):
            running[name].start()

        async def calculated() -> bool:
            status, body = await report(client, portfolio_id)
            return status == 200 and bool(body["available"])

        # Asked more often, those that run take the cores from those that start.
        await eventually(calculated, seconds=120, pause=0.5)
        _, found = await report(client, portfolio_id)
    assert found["net_asset_value"] == 5000.00
    for process in running.values():
        assert process.stop() == 0, process.tail()


async def report(client: Client, portfolio_id: str) -> tuple[int, dict]:
    answer = await client._http.get(f"/analytics/portfolio/{portfolio_id}/report")
    return answer.status_code, answer.json()
