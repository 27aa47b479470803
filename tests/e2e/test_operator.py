"""The operator's day: a job by each way there is, and a fault drilled from break to redrive."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import aio_pika
import asyncpg
import pytest
import pytest_asyncio

from common.bus.rabbitmq.layout import Layout
from common.dead_letters import Selection
from common.events.topology import TOPOLOGY
from deploy.cli.client import Client, Refused
from tests.support.brokers import forget_namespace
from tests.support.databases import fresh_database
from tests.support.system import ROOT, System, clean_environment, eventually

INVITE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
OPERATOR, PASSWORD = "operator@example.com", "Secret-123"
GUIDE = (ROOT / "docs/operations.md").read_text()
BOOK = ("book.csv", b"Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,10,150.00,2024-01-16")

pytestmark = pytest.mark.timeout(240)


@dataclass(frozen=True)
class Ended:
    """What a command said, and its status."""

    status: int
    said: str
    complained: str


@dataclass(frozen=True)
class Operator:
    """An administrator at a terminal beside a running system."""

    system: System

    async def types(self, *words: str) -> Ended:
        """Run `sigmasight` as a process of its own, with the settings of the system."""
        environment = {
            **clean_environment(),
            **self.system.environment(),
            "SIGMASIGHT_URL": self.system.address,
            "SIGMASIGHT_EMAIL": OPERATOR,
            "SIGMASIGHT_PASSWORD": PASSWORD,
            "LOGNAME": "operator",
        }
        ended = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "deploy.cli.main", *words],
            cwd=self.system.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=90,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    async def reads(self, *words: str) -> dict:
        """Return what a command prints as JSON."""
        ended = await self.types(*words, "--json")
        assert ended.status == 0, ended.complained
        found: dict = json.loads(ended.said)
        return found

    async def runs(self) -> list[dict]:
        """Return all runs by REST."""
        async with Client(self.system.address) as client:
            await client.login(OPERATOR, PASSWORD)
            found: list[dict] = (await client._ask("GET", "/admin/batch/runs"))["runs"]
            return found

    async def sees_the_end_of(self, run_id: str) -> dict:
        """Wait until a run has ended and return it."""

        async def ended() -> dict | None:
            try:
                found = [run for run in await self.runs() if run["batch_run_id"] == run_id]
            except Refused as refused:
                # A 503 says to ask again: a shared database may be out of connections for a moment.
                if refused.status == 503:
                    return None
                raise
            return found[0] if found and found[0]["status"] != "open" else None

        run: dict = await eventually(ended, pause=0.2)
        return run


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=["embedded", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)],
)
async def operator(request, tmp_path_factory) -> AsyncIterator[Operator]:
    """The operator of a system of this module's own."""
    home, extra = tmp_path_factory.mktemp("home"), {"ADMIN_EMAIL": OPERATOR}
    async with AsyncExitStack() as stack:
        if request.param == "embedded":
            system = System(home, extra=extra)
        else:
            broker = request.getfixturevalue("rabbit_url")
            admin = request.getfixturevalue("postgres_admin_url")
            fresh = await stack.enter_async_context(fresh_database(admin))
            system = System(home, fresh.url, broker, fresh.namespace, extra=extra)
            stack.push_async_callback(forget_namespace, broker, fresh.namespace)
        system.start()
        stack.callback(system.stop)
        async with Client(system.address) as client:
            await client.register(OPERATOR, PASSWORD, "The Operator", INVITE)
        yield Operator(system)


# --- a job, by each way there is


async def test_a_job_by_the_command_line_is_the_run_that_it_names(operator: Operator):
    asked = await operator.reads("run", "job", "nightly")
    run = await operator.sees_the_end_of(asked["run_id"])
    assert (run["job"], run["triggered_by"]) == ("nightly", "operator")
    said = await operator.types("run", "job", "calculate", "--portfolio", str(uuid4()), "--force")
    assert said.status == 0
    run = await operator.sees_the_end_of(re.findall(r"run ([0-9a-f-]{36})\.", said.said)[0])
    assert (run["job"], run["status"], run["forced"]) == ("calculate", "failed", True)


async def test_a_job_by_rest_is_the_run_that_it_names(operator: Operator):
    async with Client(operator.system.address) as client:
        await client.login(OPERATOR, PASSWORD)
        started = await client._ask("POST", "/admin/batch/run")
    run = await operator.sees_the_end_of(started["batch_run_id"])
    assert (run["job"], run["triggered_by"]) == ("nightly", OPERATOR)


async def test_a_job_by_hand_is_done_as_the_guide_shows_it(operator: Operator):
    """The message that the guide shows, sent as the transport's own tools send it."""
    before = {run["batch_run_id"] for run in await operator.runs()}
    if operator.system.broker:
        [key] = re.findall(r'"routing_key": "([^"]+)", "properties"', GUIDE)
        [payload] = re.findall(r'"payload": "(.*)"\}\'', GUIDE)
        exchange_name = Layout(TOPOLOGY, operator.system.namespace).exchange_name(key)
        async with await aio_pika.connect(operator.system.broker) as broker:
            exchange = await (await broker.channel()).get_exchange(exchange_name)
            await exchange.publish(aio_pika.Message(json.loads(f'"{payload}"').encode()), key)
    else:
        [statement] = re.findall(r"^SELECT bus\.send.*;$", GUIDE, re.MULTILINE)
        async with superuser(operator.system) as connection:
            await connection.execute(statement)

    async def ended() -> list[dict]:
        return [
            run
            for run in await operator.runs()
            if run["batch_run_id"] not in before and run["status"] != "open"
        ]

    [run] = await eventually(ended)
    assert (run["job"], run["triggered_by"]) == ("nightly", "ops")


async def test_an_impossible_job_is_a_letter_that_says_why_and_is_discarded(operator: Operator):
    bus = operator.system.bus()
    if operator.system.broker:
        name = Layout(TOPOLOGY, operator.system.namespace).exchange_name("scheduler.run_job.v1")
        async with await aio_pika.connect(operator.system.broker) as broker:
            exchange = await (await broker.channel()).get_exchange(name)
            body = b'{"job": "import", "requested_by": "ops"}'
            await exchange.publish(aio_pika.Message(body), "scheduler.run_job.v1")
    else:
        async with superuser(operator.system) as connection:
            await connection.execute(
                "SELECT bus.send('scheduler.run_job.v1', '{\"job\": \"import\"}')"
            )
    assert await eventually(lambda: bus.dead_letter_count("scheduler")) == 1
    await bus.close()

    [letter] = (await operator.reads("dlq", "list", "--service", "scheduler"))["letters"]
    shown = await operator.types("dlq", "show", letter["id"])
    assert "Unparseable" in shown.said
    assert '"job": "import"' in shown.said
    gone = await operator.types("dlq", "discard", letter["id"])
    assert gone.said == "1 letter was discarded: 1 of queue:scheduler.\n"
    assert (await operator.types("dlq", "list")).said == "There are no dead letters.\n"


# --- a fault, from break to redrive

BREAK = """
CREATE FUNCTION risk_engine.drill() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no room for the book % of %', NEW.portfolio_id, now();
END $$;
CREATE FUNCTION risk_engine.is_stuck(id uuid) RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM risk_engine.books WHERE portfolio_id = id AND name LIKE 'Stuck %')
$$;
CREATE TRIGGER drill BEFORE INSERT ON risk_engine.books
    FOR EACH ROW WHEN (NEW.name LIKE 'Unheard %') EXECUTE FUNCTION risk_engine.drill();
CREATE TRIGGER drill BEFORE INSERT ON risk_engine.results
    FOR EACH ROW WHEN (risk_engine.is_stuck(NEW.portfolio_id))
    EXECUTE FUNCTION risk_engine.drill();
"""
MEND = "DROP FUNCTION risk_engine.drill, risk_engine.is_stuck CASCADE"


async def test_what_a_fault_left_behind_is_redriven_by_cause_once_it_is_mended(operator: Operator):
    """Three books whose news a handler cannot take, two whose calculation cannot be stored."""
    names = ["Unheard 1", "Unheard 2", "Unheard 3", "Stuck 1", "Stuck 2", "Fine"]
    async with AsyncExitStack() as stack:
        async with superuser(operator.system) as connection:
            await connection.execute(BREAK)
        clients = {name: await stack.enter_async_context(owner(operator)) for name in names}
        created = {
            name: await client.create_portfolio(name, "5000", BOOK)
            for name, client in clients.items()
        }

        async def available(name: str) -> bool:
            report = await clients[name].report(str(created[name]["portfolio_id"]))
            return bool(report["available"])

        await eventually(lambda: available("Fine"))  # the rest is served meanwhile

        async def given_up() -> list[dict]:
            found = await operator.reads("dlq", "list")
            return found["groups"] if found["total"] == 5 else []

        unheard, stuck = await eventually(given_up, seconds=90, pause=1)
        assert (unheard["kind"], unheard["service"], unheard["count"]) == (
            "queue",
            "risk-engine",
            3,
        )
        assert (stuck["kind"], stuck["name"], stuck["count"]) == ("work", "calculate", 2)
        assert unheard["most_attempts"] == stuck["most_attempts"] == 3
        for group in (unheard, stuck):
            assert "no room for the book" in group["reason"]
            letter = await operator.reads("dlq", "show", group["newest"])
            flows = {one["run_id"] for one in created.values()}
            assert letter["run_id"] in flows, "whose flow it is"
            assert len(letter["trace_id"]) == 32
            assert "Traceback" in letter["stack"]
            assert letter["payload"]
        assert not any([await available(name) for name in names[:5]])

        async with superuser(operator.system) as connection:
            await connection.execute(MEND)
        redriven = await operator.types("dlq", "redrive", "--group", unheard["id"])
        assert redriven.said == "3 letters were redriven: 3 of queue:risk-engine.\n"
        admin = await stack.enter_async_context(Client(operator.system.address))
        await admin.login(OPERATOR, PASSWORD)
        moved = await admin.redrive(Selection(group=stuck["id"]))
        assert moved.places == {"work:risk-engine": 2}

        for name in names:
            await eventually(lambda name=name: available(name))
            report = await clients[name].report(str(created[name]["portfolio_id"]))
            assert report["net_asset_value"] == 5000.00
        again = await operator.types("dlq", "redrive", "--group", unheard["id"])
        assert (again.status, "No letter was redriven" in again.said) == (0, True)
        assert (await admin.redrive(Selection(group=stuck["id"]))).moved == 0
        assert (await operator.reads("dlq", "list"))["total"] == 0


async def test_the_queues_are_reached_by_the_bus_when_no_service_answers(operator: Operator):
    await asyncio.to_thread(operator.system.kill)
    away = await operator.types("dlq", "list")
    assert away.status == 1
    assert away.complained.startswith(f"The system does not answer at {operator.system.address}")
    listed = await operator.types("dlq", "list", "--bus")
    asked = await operator.types("run", "job", "nightly", "--json")
    if operator.system.broker:
        assert (listed.status, listed.said) == (0, "There are no dead letters.\n")
        assert asked.status == 0
    else:
        # Its database went down with it: that is a sentence, too.
        assert (listed.status, asked.status) == (1, 1)
        assert asked.complained.startswith("Not reachable: the bus database does not answer")
    await asyncio.to_thread(operator.system.start)
    if operator.system.broker:
        run = await operator.sees_the_end_of(json.loads(asked.said)["run_id"])
        assert run["triggered_by"] == "operator"


@asynccontextmanager
async def owner(operator: Operator) -> AsyncIterator[Client]:
    async with Client(operator.system.address) as client:
        email = f"{uuid4().hex}@example.com"
        await client.register(email, PASSWORD, "An Owner", INVITE)
        await client.login(email, PASSWORD)
        yield client


@asynccontextmanager
async def superuser(system: System) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(system.admin_url())
    try:
        yield connection
    finally:
        await connection.close()
