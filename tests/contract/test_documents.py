"""The generated documents are what they claim to be, and say all that there is to say."""

import copy
import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator, SchemaError
from openapi_spec_validator import validate
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from common.events import COMMANDS, EVENTS
from common.events.topology import TOPOLOGY
from deploy.embedded.documents import OPENAPI, ROOT
from deploy.embedded.documents.asyncapi import CONTRACTS, producer_of
from gateway.domain.routes import Access, find
from tests.support.asyncapi_form import assert_well_formed
from tests.support.contracts import committed_asyncapi, faults_of

METHODS = {"get", "put", "post", "delete", "patch"}
CREATED = "portfolio.created.v1"


@pytest.fixture(scope="module")
def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((ROOT / OPENAPI).read_text())
    return document


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


# --- AsyncAPI ------------------------------------------------------------------------------------


def test_the_asyncapi_document_has_the_form_of_version_3():
    assert_well_formed(committed_asyncapi())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("asyncapi",), "2.6.0"),
        (("publish",), {}),
        (("info", "version"), None),
        (("servers", "rabbitmq", "protocol"), None),
        (("channels", CREATED, "publish"), {}),
        (("channels", CREATED, "messages", CREATED, "$ref"), "#/components/messages/nothing"),
        (("channels", CREATED, "bindings", "amqp", "is"), "routingKeys"),
        (("channels", CREATED, "bindings", "amqp", "exchange", "type"), "queue"),
        (("operations", f"onboarding.says.{CREATED}", "action"), "publish"),
        (("operations", f"onboarding.says.{CREATED}", "channel"), None),
        (("operations", f"onboarding.says.{CREATED}", "channel", "$ref"), "#/channels/nothing"),
        (("operations", f"auth.hears.{CREATED}", "channel", "$ref"), f"#/channels/{CREATED}"),
        (("components", "messages", CREATED, "payload"), None),
        (("components", "messages", CREATED, "headers", "$ref"), "#/components/schemas/nothing"),
        (("components", "messages", CREATED, "correlationId", "location"), "run_id"),
        (("components", "schemas", CREATED, "type"), "objekt"),
    ],
)
def test_a_document_that_is_not_asyncapi_3_is_refused(place: tuple[str, ...], value: Any):
    document = copy.deepcopy(committed_asyncapi())
    inside = document
    for step in place[:-1]:
        inside = inside[step]
    if value is None:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    with pytest.raises((AssertionError, ValueError, SchemaError)):
        assert_well_formed(document)


def test_every_message_is_said_by_its_producer_and_heard_by_the_queues_that_want_it():
    said = {f"{producer_of(event)}.says.{event.routing_key()}" for event in EVENTS} | {
        f"operator.asks.{command.routing_key()}" for command in COMMANDS
    }
    heard = {
        f"{queue.name}.hears.{contract.routing_key()}"
        for queue in TOPOLOGY.queues
        for contract in CONTRACTS
        if queue.wants(contract.routing_key())
    }
    assert committed_asyncapi()["operations"].keys() == said | heard


def test_every_example_of_the_asyncapi_document_is_as_it_describes():
    for key, message in committed_asyncapi()["components"]["messages"].items():
        for example in message["examples"]:
            assert faults_of(key, example["payload"]) == [], example["name"]


# --- OpenAPI -------------------------------------------------------------------------------------


def test_the_openapi_document_is_valid(openapi: dict[str, Any]):
    assert openapi["openapi"].startswith("3.1.")
    validate(openapi)


def test_nothing_internal_is_documented_and_every_address_is_routed(openapi: dict[str, Any]):
    assert "/internal" not in json.dumps(openapi)
    streams = {"/api/v1/events", "/api/v1/portfolio/{portfolio_id}/events"}
    own = {"/", "/health", "/health/ready", *streams}
    unrouted = {path for path in openapi["paths"] if find(path.encode()) is None}
    assert unrouted == own


def test_every_operation_says_in_words_what_it_is_and_has_an_id_of_its_own(openapi: dict[str, Any]):
    found = operations(openapi)
    identities = [operation["operationId"] for _, _, operation in found]
    assert len(identities) == len(set(identities))
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", identity) for identity in identities)
    for method, path, operation in found:
        summary = operation["summary"]
        # FastAPI's own is the function's name in capitals.
        assert not (summary.istitle() and " " in summary), f"{method} {path} needs a summary"


def test_every_error_has_the_one_body_and_names_its_codes(openapi: dict[str, Any]):
    for method, path, operation in operations(openapi):
        assert "default" in operation["responses"], f"{method} {path}"
        for status, response in operation["responses"].items():
            if status[0] == "2" or (path, status) == ("/health/ready", "503"):
                continue
            content = response["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorBody"}
            assert content["examples"], f"{method} {path} {status}"


def test_every_example_of_the_openapi_document_is_an_error_body(openapi: dict[str, Any]):
    registry: Registry[Any] = Registry().with_resource(
        "urn:openapi", DRAFT202012.create_resource(openapi)
    )
    judge = Draft202012Validator(
        {"$ref": "urn:openapi#/components/schemas/ErrorBody"}, registry=registry
    )
    for code, example in openapi["components"]["examples"].items():
        judge.validate(example["value"])
        assert example["value"]["error"]["code"] == code


def test_what_needs_a_token_says_so(openapi: dict[str, Any]):
    schemes = openapi["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert (schemes["cookie"]["in"], schemes["cookie"]["name"]) == ("cookie", "auth_token")
    for method, path, operation in operations(openapi):
        route = find(path.encode())
        public = route.access is Access.PUBLIC if route else not path.startswith("/api/")
        assert operation["security"] == ([] if public else [{"bearer": []}, {"cookie": []}])
        assert public == ("ERR_AUTH_001" not in json.dumps(operation)), f"{method} {path}"


def test_the_upload_is_documented_as_a_form_with_a_file(openapi: dict[str, Any]):
    operation = openapi["paths"]["/api/v1/onboarding/create-portfolio"]["post"]
    (media,) = operation["requestBody"]["content"]
    name = operation["requestBody"]["content"][media]["schema"]["$ref"].rpartition("/")[2]
    form = openapi["components"]["schemas"][name]
    assert media == "multipart/form-data"
    assert {"portfolio_name", "equity_balance"} <= set(form["required"])
    assert set(form["properties"]) == {
        "portfolio_name",
        "equity_balance",
        "description",
        "csv_file",
    }


def test_the_streams_say_what_comes_in_their_frames(openapi: dict[str, Any]):
    for path in ("/api/v1/events", "/api/v1/portfolio/{portfolio_id}/events"):
        operation = openapi["paths"][path]["get"]
        stream = operation["responses"]["200"]["content"]["text/event-stream"]
        assert set(stream["x-frames"]) == {"snapshot", "reset", "expired", "revoked", "*"}
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert "last-event-id" in names
