"""`sigmasight run job` and `sigmasight dlq`, as an operator types them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner, Result

from common.bus import Bus, DeadLetter
from common.bus.connect import connect
from common.db import dsn, parse_url, role_name, role_password
from common.events import Envelope, Unparseable
from common.events.scheduler import RunJob
from common.events.topology import TOPOLOGY
from deploy.cli.main import app
from tests.integration.scheduler_world import service, today
from tests.integration.test_scheduler_letters import INTERNAL, dead
from tests.support.brokers import forget_namespace
from tests.support.bus_probe import empty, letters, until
from tests.support.databases import ROLE_SECRET
from tests.support.harness import Harness, running

Sigmasight = Callable[..., Awaitable[Result]]


@pytest.fixture
def sigmasight(monkeypatch, tmp_path) -> Sigmasight:
    """The command line, in this process, at home in an empty folder."""
    monkeypatch.setenv("SIGMASIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LOGNAME", "operator")
    monkeypatch.chdir(tmp_path)

    async def run(*words: str, stdin: str = "") -> Result:
        result = await asyncio.to_thread(CliRunner().invoke, app, list(words), input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert "Traceback" not in result.stderr
        return result

    return run


# --- over REST


@pytest.fixture
async def scheduler(database, tmp_path, monkeypatch) -> AsyncIterator[Harness]:
    async with running("scheduler", service, database, tmp_path / "home") as harness:
        monkeypatch.setenv("SIGMASIGHT_URL", str(harness.http.base_url))
        monkeypatch.setenv("SIGMASIGHT_TOKEN", harness.neighbours.token(uuid4(), role="admin"))
        empty_page = {"groups": [], "letters": [], "total": 0, "complete": True}
        harness.neighbours.answers[f"GET {INTERNAL}"] = empty_page
        harness.neighbours.answers[f"POST {INTERNAL}/redrive"] = {"moved": 0}
        harness.neighbours.answers[f"POST {INTERNAL}/discard"] = {"moved": 0}
        harness.bus.letters = [
            dead("risk-engine", 1, "KeyError: 'AAPL'"),
            dead("risk-engine", 2, "KeyError: 'MSFT \x1b[31m'"),
            dead("chat", 3, "ValueError: [red]no[/red]"),
        ]
        yield harness


@pytest.mark.usefixtures("scheduler")
async def test_causes_are_listed_and_the_letters_of_one(sigmasight):
    listed = await sigmasight("dlq", "list")
    assert listed.exit_code == 0
    assert "3 dead letters of 2 causes" in listed.stdout
    assert "portfolio.created.v1 in queue:risk-engine, 3 attempts" in listed.stdout
    assert "[red]no[/red]" in listed.stdout, "what a letter says is no markup"
    assert "\x1b" not in listed.stdout, "nor a command to the terminal"

    groups = json.loads((await sigmasight("dlq", "list", "--json")).stdout)["groups"]
    some = await sigmasight("dlq", "list", "--group", groups[0]["id"], "--limit", "1")
    assert "2 dead letters of 1 cause" in some.stdout
    assert some.stdout.count("queue:risk-engine:") == 1
    assert "The newest 1 of 2." in some.stdout
    none = await sigmasight("dlq", "list", "--kind", "work", "--service", "chat")
    assert none.stdout == "There are no dead letters.\n"


@pytest.mark.usefixtures("scheduler")
async def test_a_letter_is_shown_with_what_it_says_and_why_it_died(sigmasight):
    shown = await sigmasight("dlq", "show", "queue:risk-engine:1")
    assert shown.exit_code == 0
    for said in ("KeyError: 'AAPL'", str(UUID(int=1)), "SECRETSYMBOL", "Traceback\nKeyError"):
        assert said in shown.stdout
    letter = json.loads((await sigmasight("dlq", "show", "queue:chat:3", "--json")).stdout)
    assert letter["reason"] == "ValueError: [red]no[/red]"
    gone = await sigmasight("dlq", "show", "queue:chat:9")
    assert (gone.exit_code, gone.stdout) == (1, "")
    assert gone.stderr == (
        "There is no dead letter queue:chat:9: it may have been redriven or discarded.\n"
    )


async def test_letters_are_redriven_by_id_by_group_or_all_and_a_repeat_moves_none(
    sigmasight, scheduler
):
    moved = await sigmasight("dlq", "redrive", "queue:chat:3")
    assert (moved.exit_code, moved.stdout) == (0, "1 letter was redriven: 1 of queue:chat.\n")
    listed = json.loads((await sigmasight("dlq", "list", "--json")).stdout)
    group = listed["groups"][0]["id"]
    moved = await sigmasight("dlq", "redrive", "--group", group, "--json")
    assert json.loads(moved.stdout)["places"] == {"queue:risk-engine": 2}
    for again in (("--group", group), ("--all",), ("queue:chat:3",)):
        moved = await sigmasight("dlq", "redrive", *again)
        assert (moved.exit_code, moved.stdout) == (
            0,
            "No letter was redriven: there is none (any more) of those asked for.\n",
        )
    assert len(scheduler.bus.redriven) == 3


async def test_all_are_discarded_only_after_a_yes(sigmasight, scheduler):
    refused = await sigmasight("dlq", "discard", "--all", stdin="n\n")
    assert refused.exit_code == 1
    assert "Delete 3 dead letters for good?" in refused.stderr
    assert (await sigmasight("dlq", "discard", "--all")).exit_code == 1, "nobody there to ask"
    assert len(scheduler.bus.letters) == 3
    one = await sigmasight("dlq", "discard", "--all", "--service", "chat", stdin="y\n")
    assert one.stdout.endswith("1 letter was discarded: 1 of queue:chat.\n")
    rest = await sigmasight("dlq", "discard", "--all", "--yes")
    assert (rest.exit_code, rest.stdout) == (
        0,
        "2 letters were discarded: 2 of queue:risk-engine.\n",
    )


async def test_what_did_not_answer_is_named_and_the_command_has_failed(sigmasight, scheduler):
    del scheduler.neighbours.answers[f"GET {INTERNAL}"]
    listed = await sigmasight("dlq", "list")
    assert listed.exit_code == 1
    assert "3 dead letters of 2 causes, more than were looked at" in listed.stdout
    assert "work:chat did not answer: chat answered 404 about its letters\n" in listed.stderr


@pytest.mark.parametrize(
    ("environment", "words", "sentence"),
    [
        ({"SIGMASIGHT_TOKEN": ""}, (), "No access token came with the request"),
        ({}, ("--token", "nonsense"), "The access token is not valid; log in again. Give --token"),
        ({"SIGMASIGHT_URL": "http://127.0.0.1:1"}, (), "The system does not answer at http://127"),
        ({"PORT": "many"}, (), "The settings are wrong: PORT: "),
        ({}, ("--url", "nonsense"), "The system does not answer at"),
        (
            {"SIGMASIGHT_URL": "", "PORT": "1"},
            (),
            "The system does not answer at http://127.0.0.1:1",
        ),
    ],
)
@pytest.mark.usefixtures("scheduler")
async def test_trouble_is_one_sentence_and_status_1(
    sigmasight, monkeypatch, environment, words, sentence
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if "PORT" in environment:
        monkeypatch.delenv("SIGMASIGHT_URL")
    failed = await sigmasight("dlq", "list", *words)
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert failed.stderr.startswith(sentence)
    assert failed.stderr.count("\n") == 1


@pytest.mark.usefixtures("scheduler")
async def test_who_is_no_administrator_is_told_so(sigmasight, scheduler):
    token = scheduler.neighbours.token(uuid4())
    failed = await sigmasight("dlq", "list", "--token", token)
    assert (failed.exit_code, failed.stderr) == (1, "Only an administrator may do this.\n")


@pytest.mark.parametrize(
    "words",
    [
        ("dlq", "redrive"),
        ("dlq", "discard", "--group", "a", "--all"),
        ("dlq", "discard", "queue:chat:1", "--all", "--yes"),
        ("dlq", "redrive", "17"),
        ("dlq", "redrive", "--all", "--service", "nobody"),
        ("dlq", "list", "--service", "nobody"),
        ("dlq", "list", "--kind", "nothing"),
        ("dlq", "list", "--limit", "0"),
        ("dlq", "show"),
        ("dlq", "show", "17"),
        ("run", "job"),
        ("run", "job", "import"),
        ("run", "job", "nightly", "--portfolio", "17"),
        ("run", "job", "nightly", "--as-of", "yesterday"),
        ("run", "job", "nightly", "--as-of", "2026-01-01"),
        ("run", "job", "nightly", "--as-of", "2099-01-05"),
    ],
)
async def test_wrong_use_is_status_2_before_anybody_is_asked(sigmasight, words):
    wrong = await sigmasight(*words)
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "Error: " in wrong.stderr


async def test_without_a_bus_there_is_a_sentence(sigmasight, monkeypatch):
    for words in (("run", "job", "nightly"), ("dlq", "list", "--bus")):
        failed = await sigmasight(*words)
        assert failed.exit_code == 1
        assert failed.stderr.startswith("Neither BROKER nor DATABASE_URL is set")
    monkeypatch.setenv("BROKER", "amqp://guest:guest@127.0.0.1:1/")
    failed = await sigmasight("run", "job", "nightly")
    assert (failed.exit_code, failed.stderr.count("\n")) == (1, 1)
    assert failed.stderr.startswith("Not reachable: the broker does not answer")
    failed = await sigmasight("dlq", "list", "--bus", "--service", "chat")
    assert failed.exit_code == 1
    assert failed.stderr.startswith("queue:chat did not answer: the broker does not answer")


# --- by the bus, with no service up


@pytest.fixture(params=["postgres", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
async def bus(request, database, monkeypatch) -> AsyncIterator[Bus]:
    """A system's bus, and the environment that leads to it."""
    monkeypatch.setenv("NAMESPACE", database.namespace)
    monkeypatch.setenv("SERVICE_ROLE_SECRET", ROLE_SECRET)
    role = role_name(database.namespace, "bus")
    url = dsn(parse_url(database.url).set(username=role, password=role_password(ROLE_SECRET, role)))
    monkeypatch.setenv("DATABASE_URL", database.url)
    if request.param == "rabbitmq":
        url = request.getfixturevalue("rabbit_url")
        monkeypatch.setenv("BROKER", url)
    opened = connect(url, TOPOLOGY, namespace=database.namespace)
    yield opened
    await opened.close()
    if request.param == "rabbitmq":
        await forget_namespace(url, database.namespace)


async def test_a_job_is_asked_for_by_message_before_the_system_has_ever_been_up(sigmasight, bus):
    portfolio = uuid4()
    asked = await sigmasight(
        "run", "job", "calculate", "--portfolio", str(portfolio), "--as-of", str(today()), "--json"
    )
    assert asked.exit_code == 0, asked.stderr
    told = json.loads(asked.stdout)
    forced = await sigmasight("run", "job", "nightly", "--force")
    assert "Asked for the job nightly: run " in forced.stdout

    taken: list[Envelope] = []

    async def take(envelope: Envelope) -> None:
        taken.append(envelope)

    await bus.subscribe("scheduler", take)
    await until(lambda: len(taken) == 2)
    first, second = sorted(taken, key=lambda envelope: envelope.occurred_at)
    assert first.message() == RunJob(
        job="calculate", as_of=today(), portfolio_ids=(portfolio,), requested_by="operator"
    )
    assert (str(first.run_id), first.producer) == (told["run_id"], "cli")
    assert second.message() == RunJob(job="nightly", force=True, requested_by="operator")
    assert str(second.run_id) in forced.stdout


async def test_letters_are_worked_on_by_the_bus_while_the_system_is_down(sigmasight, bus):
    await bus.declare()

    async def refuse(envelope: Envelope) -> None:
        raise Unparseable(f"no {envelope.payload['n']}")

    subscription = await bus.subscribe("chat", refuse)
    await bus.publish(
        [Envelope(name="risk.calculated", run_id=UUID(int=n), payload={"n": n}) for n in range(5)]
    )
    found: list[DeadLetter] = await letters(bus, 5, "chat")
    await subscription.close()

    listed = json.loads((await sigmasight("dlq", "list", "--bus", "--json")).stdout)
    ours = [group for group in listed["groups"] if group["service"] == "chat"]
    assert [group["count"] for group in ours] == [5]
    shown = await sigmasight("dlq", "show", f"queue:chat:{found[0].id}", "--bus")
    assert "Unparseable: no " in shown.stdout
    one = await sigmasight("dlq", "discard", f"queue:chat:{found[0].id}", "--bus")
    assert one.stdout == "1 letter was discarded: 1 of queue:chat.\n"
    rest = await sigmasight("dlq", "redrive", "--group", ours[0]["id"], "--bus")
    assert rest.stdout == "4 letters were redriven: 4 of queue:chat.\n"
    again = await sigmasight("dlq", "redrive", "--group", ours[0]["id"], "--bus")
    assert "No letter was redriven" in again.stdout

    taken: list[int] = []

    async def take(envelope: Envelope) -> None:
        taken.append(envelope.payload["n"])

    await bus.subscribe("chat", take)
    await empty(bus, "chat")
    assert len(taken) == 4
    assert await bus.dead_letter_count("chat") == 0
