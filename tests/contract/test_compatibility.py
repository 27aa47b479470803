"""A breaking change of a contract is refused, and a harmless one is not: every kind, on purpose."""

import copy
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field

from common.events import Event
from deploy.embedded.documents import OPENAPI, ROOT
from deploy.embedded.documents.gate import breaking_changes, breaking_routes

Edit = Callable[[dict[str, Any]], Any]


class Line(BaseModel):
    model_config = ConfigDict(extra="ignore")

    symbol: str
    quantity: Decimal
    kind: Literal["buy", "sell"] = "buy"
    note: str | None = None


class OrderPlaced(Event):
    NAME = "order.placed"

    order_id: UUID
    placed_on: date
    count: int = Field(ge=1, le=100)
    share: float = Field(default=0.5, ge=0, le=1)
    reason: str | None = None
    lines: tuple[Line, ...] = Field(max_length=10)
    states: dict[str, Literal["ok", "failed"]] = Field(default_factory=dict)


EVENT = OrderPlaced.model_json_schema()
ORDER = {
    "order_id": "00000000-0000-4000-8000-000000000001",
    "placed_on": "2026-11-20",
    "count": 1,
    "lines": [{"symbol": "AAPL", "quantity": "1.5"}],
}


def line(schema: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = schema["$defs"]["Line"]["properties"]
    return properties


def changed(edit: Edit) -> dict[str, Any]:
    new = copy.deepcopy(EVENT)
    edit(new)
    return new


def without(schema: dict[str, Any], name: str) -> None:
    del schema["properties"][name]
    schema["required"] = [one for one in schema["required"] if one != name]


def renamed(schema: dict[str, Any]) -> None:
    schema["properties"]["session"] = schema["properties"].pop("placed_on")
    schema["required"][schema["required"].index("placed_on")] = "session"


BREAKING: dict[str, tuple[Edit, str]] = {
    "a field removed": (lambda s: without(s, "count"), "count: the field was removed"),
    "an optional field removed": (lambda s: s["properties"].pop("reason"), "reason: the field was"),
    "a field renamed": (renamed, "placed_on: the field was removed or renamed"),
    "a field added as required": (
        lambda s: (s["properties"].update(who={"type": "string"}), s["required"].append("who")),
        "who: was added as a required field",
    ),
    "a field newly required": (lambda s: s["required"].append("share"), "share: is required now"),
    "a field no longer required": (
        lambda s: s["required"].remove("count"),
        "count: may be absent now",
    ),
    "another type": (
        lambda s: s["properties"].update(placed_on={"type": "integer"}),
        "placed_on: integer is allowed now",
    ),
    "an integer become a number": (
        lambda s: s["properties"]["count"].update(type="number"),
        "count: integer became number",
    ),
    "a number become an integer": (
        lambda s: s["properties"]["share"].update(type="integer"),
        "share: number became integer",
    ),
    "another format": (
        lambda s: s["properties"]["placed_on"].update(format="date-time"),
        "placed_on: format changed from date to date-time",
    ),
    "a format dropped": (
        lambda s: s["properties"]["order_id"].pop("format"),
        "order_id: format changed from uuid to None",
    ),
    "a pattern added": (
        lambda s: line(s)["symbol"].update(pattern="^[A-Z]+$"),
        "lines[].symbol: pattern changed",
    ),
    "a higher minimum": (lambda s: s["properties"]["count"].update(minimum=2), "count: minimum"),
    "a lower minimum": (lambda s: s["properties"]["count"].update(minimum=0), "count: minimum"),
    "a maximum dropped": (lambda s: s["properties"]["share"].pop("maximum"), "share: maximum"),
    "fewer items": (lambda s: s["properties"]["lines"].update(maxItems=5), "lines: maxItems"),
    "more items": (lambda s: s["properties"]["lines"].update(maxItems=50), "lines: maxItems"),
    "a value of an enum removed": (
        lambda s: line(s)["kind"].update(enum=["buy"]),
        "lines[].kind: ['sell'] is not allowed any more",
    ),
    "a value of an enum added": (
        lambda s: line(s)["kind"].update(enum=["buy", "sell", "short"]),
        "lines[].kind: ['short'] is allowed now",
    ),
    "an enum become free": (
        lambda s: line(s)["kind"].pop("enum"),
        "lines[].kind: more than ['buy', 'sell'] is allowed now",
    ),
    "a value of a map's enum added": (
        lambda s: s["properties"]["states"]["additionalProperties"]["enum"].append("stale"),
        "states.*: ['stale'] is allowed now",
    ),
    "null allowed": (
        lambda s: s["properties"].update(
            placed_on={"anyOf": [s["properties"]["placed_on"], {"type": "null"}]}
        ),
        "placed_on: null is allowed now",
    ),
    "null refused": (
        lambda s: s["properties"].update(reason={"type": "string", "default": "none"}),
        "reason: null is not allowed any more",
    ),
    "another default": (
        lambda s: s["properties"]["share"].update(default=1.0),
        "share: the default changed from 0.5 to 1.0",
    ),
    "one way of writing a number dropped": (
        lambda s: line(s)["quantity"]["anyOf"].pop(0),
        "lines[].quantity: number is not allowed any more",
    ),
    "unknown fields refused": (
        lambda s: s.update(additionalProperties=False),
        "*: is forbidden now",
    ),
    "a list become free": (
        lambda s: s["properties"]["lines"].pop("items"),
        "lines[]: may be anything now",
    ),
    "a keyword the gate does not know": (
        lambda s: s["properties"]["lines"].update(contains={"type": "object"}),
        "lines: contains changed",
    ),
}  # fmt: skip

HARMLESS: dict[str, Edit] = {
    "nothing": lambda _: None,
    "a new optional field": lambda s: s["properties"].update(
        venue={"type": "string", "default": ""}
    ),
    "a new optional field with a definition of its own": lambda s: (
        s["$defs"].update(Venue={"type": "object", "properties": {"name": {"type": "string"}}}),
        s["properties"].update(venue={"anyOf": [{"$ref": "#/$defs/Venue"}, {"type": "null"}]}),
    ),
    "a new optional field inside": lambda s: line(s).update(
        venue={"type": "string", "default": ""}
    ),
    "other words": lambda s: s.update(title="Order", description="Somebody wants something."),
    "a definition's new name": lambda s: (
        s["$defs"].update(OrderLine=s["$defs"].pop("Line") | {"title": "OrderLine"}),
        s["properties"]["lines"].update(items={"$ref": "#/$defs/OrderLine"}),
    ),
    "the order of fields and of alternatives": lambda s: (
        s["required"].reverse(),
        line(s)["quantity"]["anyOf"].reverse(),
    ),
}


@pytest.mark.parametrize("kind", BREAKING)
def test_a_breaking_change_of_an_event_is_refused_by_name(kind: str):
    edit, expected = BREAKING[kind]
    found = breaking_changes(EVENT, changed(edit))
    assert any(expected in fault for fault in found), found


@pytest.mark.parametrize("kind", HARMLESS)
def test_a_harmless_change_of_an_event_is_accepted_and_hurts_nobody(kind: str):
    new = changed(HARMLESS[kind])
    assert breaking_changes(EVENT, new) == []
    said_by_new = {**ORDER, "venue": {"name": "X"} if "Venue" in new["$defs"] else "X"}
    Draft202012Validator(new).validate(ORDER)  # old message, new consumer
    Draft202012Validator(EVENT).validate(said_by_new)  # new message, old consumer
    OrderPlaced.model_validate(said_by_new)


def test_a_contract_that_contains_itself_is_compared_to_its_end():
    tree = {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "below": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
            }
        },
    }
    other: dict[str, Any] = copy.deepcopy(tree)
    assert breaking_changes(tree, other) == []
    other["$defs"]["Node"]["properties"]["name"]["type"] = "integer"
    assert breaking_changes(tree, other)


# --- over HTTP -----------------------------------------------------------------------------------

ROUTES: dict[str, Any] = json.loads((ROOT / OPENAPI).read_text())
RUN = "/api/v1/admin/batch/run"
QUOTES = "/api/v1/data/prices/quotes"
REPORT = "/api/v1/analytics/portfolio/{portfolio_id}/report"


def operation(document: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def component(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][name]
    return found


def parameter(document: dict[str, Any], path: str, method: str = "get") -> dict[str, Any]:
    found: dict[str, Any] = operation(document, path, method)["parameters"][0]
    return found


def moved(document: dict[str, Any]) -> None:
    responses = operation(document, RUN, "post")["responses"]
    examples = responses["409"]["content"]["application/json"]["examples"]
    responses["422"]["content"]["application/json"]["examples"] |= examples
    del responses["409"]


BREAKING_ROUTES: dict[str, tuple[Edit, str]] = {
    "a path removed": (lambda d: d["paths"].pop(QUOTES), f"GET {QUOTES}: was removed"),
    "an operation removed": (lambda d: d["paths"][RUN].pop("post"), f"POST {RUN}: was removed"),
    "another id": (lambda d: operation(d, QUOTES).update(operationId="quotes"), "its id changed"),
    "a token asked for": (
        lambda d: operation(d, "/health").update(security=[{"bearer": []}]),
        "GET /health: needs a token now",
    ),
    "a parameter removed": (
        lambda d: operation(d, QUOTES)["parameters"].clear(),
        "query parameter symbols was removed",
    ),
    "a parameter newly required": (
        lambda d: parameter(d, RUN, "post").update(required=True),
        "is required now",
    ),
    "a parameter narrowed": (
        lambda d: parameter(d, QUOTES)["schema"].update(maxLength=5),
        "symbols, the whole: maxLength",
    ),
    "a field of a request newly required": (
        lambda d: component(d, "JobRequest").update(required=["job"]),
        "job: is required now",
    ),
    "a field of a request removed": (
        lambda d: component(d, "JobRequest")["properties"].pop("as_of"),
        "as_of: the field was removed",
    ),
    "a field of a form newly required": (
        lambda d: component(d, "Body_post_onboarding_create_portfolio")["required"].append(
            "description"
        ),
        "description: is required now",
    ),
    "a body newly required": (
        lambda d: operation(d, RUN, "post")["requestBody"].update(required=True),
        "a body is required now",
    ),
    "a field of an answer removed": (
        lambda d: component(d, "QuoteOut")["properties"].pop("volume"),
        "quotes[].volume: the field was removed",
    ),
    "a field of an answer that may be absent": (
        lambda d: component(d, "QuoteOut")["required"].remove("last_price"),
        "quotes[].last_price: may be absent now",
    ),
    "a field of an answer that may be null": (
        lambda d: component(d, "QuoteOut")["properties"].update(
            symbol={"anyOf": [{"type": "string"}, {"type": "null"}]}
        ),
        "quotes[].symbol: null is allowed now",
    ),
    "a value of an answer's enum added": (
        lambda d: component(d, "BatchStatus")["properties"]["stage"]["enum"].append("resting"),
        "stage: ['resting'] is allowed now",
    ),
    "another status": (
        lambda d: operation(d, QUOTES)["responses"].update(
            {"202": operation(d, QUOTES)["responses"].pop("200")}
        ),
        "does not answer 200 any more",
    ),
    "another media type": (
        lambda d: operation(d, QUOTES)["responses"]["200"].update(content={"text/csv": {}}),
        "200 is not application/json any more",
    ),
    "an error code under another status": (moved, "ERR_BATCH_001 has left status 409"),
}

HARMLESS_ROUTES: dict[str, Edit] = {
    "nothing": lambda _: None,
    "a new path": lambda d: d["paths"].update({"/api/v1/new": d["paths"][QUOTES]}),
    "a new optional parameter": lambda d: operation(d, QUOTES)["parameters"].append(
        {"name": "currency", "in": "query", "schema": {"type": "string"}}
    ),
    "a parameter no longer required": lambda d: parameter(d, QUOTES).update(required=False),
    "a new optional field of a request": lambda d: component(d, "JobRequest")["properties"].update(
        reason={"type": "string", "default": ""}
    ),
    "a request taken more freely": lambda d: component(d, "JobRequest")["properties"].update(
        job={"anyOf": [{"type": "string"}, {"type": "null"}], "default": None}
    ),
    "a new field of an answer": lambda d: (
        component(d, "QuoteOut")["properties"].update(currency={"type": "string"}),
        component(d, "QuoteOut")["required"].append("currency"),
    ),
    "an answer that says less variously": lambda d: component(d, "BatchStatus")["properties"][
        "stage"
    ]["enum"].remove("queued"),
    "a new error code": lambda d: operation(d, QUOTES)["responses"]["422"]["content"][
        "application/json"
    ]["examples"].update(ERR_MARKET_009={}),
}


@pytest.mark.parametrize("kind", BREAKING_ROUTES)
def test_a_breaking_change_of_a_route_is_refused_by_name(kind: str):
    edit, expected = BREAKING_ROUTES[kind]
    new = copy.deepcopy(ROUTES)
    edit(new)
    found = breaking_routes(ROUTES, new)
    assert any(expected in fault for fault in found), found


@pytest.mark.parametrize("kind", HARMLESS_ROUTES)
def test_a_harmless_change_of_a_route_is_accepted(kind: str):
    new = copy.deepcopy(ROUTES)
    HARMLESS_ROUTES[kind](new)
    assert breaking_routes(ROUTES, new) == []


def test_times_are_told_apart_from_days():
    class Then(BaseModel):
        at: date

    class Now(BaseModel):
        at: datetime

    assert breaking_changes(Then.model_json_schema(), Now.model_json_schema())
