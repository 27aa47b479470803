"""The running system against its OpenAPI document: thought-up requests, judged answers.

What is sent is the same at every run (`derandomize`), and little of it, to stay within seconds.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
import requests
import schemathesis
from httpx_sse import aconnect_sse
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

from deploy.cli.client import Client
from deploy.embedded.documents import OPENAPI, ROOT
from tests.support.system import System, eventually

REQUESTS_PER_OPERATION = 5
INVITE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
PASSWORD = "Secret-123"
ADMIN = "admin@example.com"
BOOK = b"Symbol,Quantity,Entry Price Per Share,Entry Date\nAAPL,10,150.00,2024-01-16\n"
STREAMS = ("/api/v1/events", "/api/v1/portfolio/{portfolio_id}/events")
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]

DOCUMENT: dict[str, Any] = json.loads((ROOT / OPENAPI).read_text())


def operations() -> Iterator[APIOperation]:
    """Return every operation that ends; tokens are this module's affair, not the generator's."""
    document = copy.deepcopy(DOCUMENT)
    for item in document["paths"].values():
        for operation in item.values():
            del operation["security"]
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path not in STREAMS:
            yield operation


def can_be_wrong(operation: APIOperation) -> bool:
    """Whether there is a request that the document does not allow: any text is right as text."""
    parameters = operation.definition.raw.get("parameters", ())
    return "requestBody" in operation.definition.raw or any(
        parameter["in"] == "query" or parameter["schema"].keys() - {"type", "title"}
        for parameter in parameters
    )


def asked() -> Iterator[Any]:
    for operation in operations():
        yield pytest.param(operation, GenerationMode.POSITIVE, id=operation.label)
        if can_be_wrong(operation):
            yield pytest.param(operation, GenerationMode.NEGATIVE, id=f"{operation.label}, wrongly")


@dataclass
class Target:
    """A running system, and who asks it."""

    system: System
    session: requests.Session
    admin: str
    owner: str
    newcomer: str
    known: dict[str, Any] = field(default_factory=dict)
    """What exists or is accepted, by the names of parameters and fields: chance finds none."""

    def token(self, operation: APIOperation) -> str:
        """Return the token with which an operation can succeed."""
        if operation.path.endswith("/auth/logout"):
            return self.login("owner@example.com")  # a session of its own, as it is the last of it
        if "/admin/" in operation.path:
            return self.admin
        return self.newcomer if operation.path.endswith("/create-portfolio") else self.owner

    def login(self, email: str) -> str:
        answer = self.session.post(
            f"{self.system.address}/api/v1/auth/login", json={"email": email, "password": PASSWORD}
        )
        return str(answer.json()["access_token"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def target(tmp_path_factory) -> AsyncIterator[Target]:
    """An embedded system without rate limits, with three accounts, one of which has a portfolio."""
    many = {"GATEWAY_ATTEMPTS_PER_MINUTE": "100000", "GATEWAY_WRITES_PER_MINUTE": "100000"}
    system = System(tmp_path_factory.mktemp("home"), extra={**many, "ADMIN_EMAIL": ADMIN})
    await asyncio.to_thread(system.start)
    for email in (ADMIN, "owner@example.com", "newcomer@example.com"):
        async with Client(system.address) as client:
            await client.register(email, PASSWORD, "Some Body", INVITE)
    session = requests.Session()
    session.trust_env = False
    target = Target(system, session, "", "", "")
    target.admin = target.login(ADMIN)
    target.owner = target.login("owner@example.com")
    target.newcomer = target.login("newcomer@example.com")
    async with Client(system.address) as client:
        await client.login("owner@example.com", PASSWORD)
        created = await client.create_portfolio("Book", "1000", ("book.csv", BOOK))
        portfolio_id, run_id = str(created["portfolio_id"]), str(created["run_id"])
        target.known = {
            "portfolio_id": portfolio_id,
            "run_id": run_id,
            "symbols": "AAPL",
            "position_ids": str(uuid4()),
            "invite_code": INVITE,
            "password": PASSWORD,
            "equity_balance": "1000",
            "csv_file": BOOK,
        }

        async def calculated() -> bool:
            return bool((await client.report(portfolio_id))["available"])

        await eventually(calculated)
    yield target
    session.close()
    assert system.stop() == 0, system.process.tail()


def code_is_documented(_: Any, response: Response, case: Case) -> None:
    """Fail for a refusal whose code the operation does not list under its status."""
    if response.status_code < 400 or case.path == "/health/ready":
        return
    code = response.json()["error"]["code"]
    responses = case.operation.definition.raw["responses"]
    documented = responses.get(str(response.status_code))
    if documented is not None:
        assert code in documented["content"]["application/json"]["examples"], code


@pytest.mark.parametrize(("operation", "mode"), list(asked()))
def test_whatever_is_asked_the_answer_is_as_documented(
    target: Target, operation: APIOperation, mode: GenerationMode
):
    statuses: list[int] = []

    @given(case=operation.as_strategy(generation_mode=mode), known=st.booleans())
    @settings(
        max_examples=REQUESTS_PER_OPERATION,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Case, known: bool) -> None:
        if known and mode is GenerationMode.POSITIVE:
            for part in (case.path_parameters, case.query, case.body):
                if isinstance(part, dict):
                    part |= {name: target.known[name] for name in part.keys() & target.known.keys()}
        token = target.token(operation)
        response = case.call(
            base_url=target.system.address,
            session=target.session,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )
        statuses.append(response.status_code)
        case.validate_response(response, checks=[*CHECKS, code_is_documented])

    ask()
    assert statuses


def test_what_needs_a_token_refuses_without_one_as_documented(target: Target):
    refused = 0
    target.session.cookies.clear()
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            address = path.replace("{portfolio_id}", str(uuid4())).replace("{run_id}", str(uuid4()))
            if operation["security"]:
                answer = target.session.request(method, f"{target.system.address}{address}")
                code = answer.json()["error"]["code"]
                assert (answer.status_code, code) == (401, "ERR_AUTH_001"), path
                refused += 1
    assert refused > 15


async def test_the_system_serves_the_committed_document(target: Target):
    served = await get(target, "/openapi.json")
    assert served == DOCUMENT


async def test_every_frame_of_a_stream_is_as_documented(target: Target):
    stream = DOCUMENT["paths"][STREAMS[1]]["get"]["responses"]["200"]["content"]
    frames = stream["text/event-stream"]["x-frames"]
    registry: Registry[Any] = Registry().with_resource(
        "urn:openapi", DRAFT202012.create_resource(DOCUMENT)
    )
    seen: list[str] = []
    async with Client(target.system.address) as client:
        await client.login("owner@example.com", PASSWORD)
        portfolio_id = target.known["portfolio_id"]
        path = STREAMS[1].removeprefix("/api/v1").format(portfolio_id=portfolio_id)
        # A place in the log that there never was: a reset comes first, then the snapshot.
        headers = {"Last-Event-ID": "999999"}
        async with (
            asyncio.timeout(30),
            aconnect_sse(client._http, "GET", path, headers=headers) as source,
        ):
            assert source.response.headers["content-type"].startswith("text/event-stream")
            await client._ask("POST", f"/portfolio/{portfolio_id}/calculate?force=true")
            steps = {"run.requested", "prices.ready", "risk.calculated", "run.completed"}
            async for event in source.aiter_sse():
                if not event.data:
                    continue
                reference = frames.get(event.event, frames["*"])["$ref"]
                judge = Draft202012Validator({"$ref": f"urn:openapi{reference}"}, registry=registry)
                judge.validate(event.json())
                assert event.json()["name"] == event.event
                seen.append(event.event)
                if steps <= set(seen):
                    break
    assert seen[:2] == ["reset", "snapshot"]


async def get(target: Target, path: str) -> Any:
    async with httpx.AsyncClient(base_url=target.system.address, trust_env=False) as http:
        return (await http.get(path)).json()
