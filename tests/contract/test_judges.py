"""What judges messages sees what is wrong with them, on its way in and on its way out."""

import json
import re
from typing import Any
from uuid import uuid4

import pytest

from common.events import Envelope
from common.events.chat import InsightGenerated
from deploy.embedded.documents import GOLDEN, ROOT
from tests.support.contracts import faults_of, faults_of_envelope
from tests.support.recording_bus import RecordingBus
from tests.support.spy import Overheard

INSIGHT = InsightGenerated(insight_id=uuid4(), portfolio_id=uuid4(), title="x")
KEY = INSIGHT.routing_key()


def overheard(body: dict[str, Any], **carried: Any) -> Overheard:
    return Overheard(KEY, json.dumps(body).encode(), carried)


def body() -> dict[str, Any]:
    text = (ROOT / GOLDEN / KEY / "full.json").read_text()
    found: dict[str, Any] = json.loads(text)["body"]
    return found


def test_a_message_as_described_has_no_fault():
    assert faults_of_envelope(Envelope.of(INSIGHT, producer="chat")) == []
    assert overheard(body(), id=body()["id"]).faults() == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"payload": {}}, "'title' is a required property"),
        ({"producer": "auth"}, "'chat' was expected"),
        ({"version": 2}, "1 was expected"),
        ({"occurred_at": "yesterday"}, "is not a 'date-time'"),
        ({"id": "7"}, "is not a 'uuid'"),
        ({"payload": {**body()["payload"], "portfolio_id": 7}}, "7 is not of type 'string'"),
    ],
)
def test_a_message_that_is_not_as_described_has_its_fault_named(change, fault):
    assert any(fault in one for one in faults_of(KEY, {**body(), **change}))


def test_a_message_nobody_has_described_is_a_fault():
    assert faults_of("order.placed.v1", {}) == ["the document knows no order.placed.v1"]


async def test_the_bus_of_the_harness_notes_what_is_not_described():
    bus = RecordingBus()
    await bus.publish([Envelope.of(INSIGHT, producer="chat")])
    assert bus.undescribed == []
    await bus.publish([Envelope.of(INSIGHT, producer="auth")])
    assert [fault for fault in bus.undescribed if "'chat' was expected" in fault]


def test_the_spy_sees_what_travels_beside_the_body_and_contradicts_it():
    (fault,) = overheard(body(), id="another").faults()
    assert "id is 'another' beside the body" in fault


def test_the_spy_tells_services_from_hands():
    assert overheard(body()).by_a_service()
    assert not overheard({**body(), "producer": "by hand"}).by_a_service()
    assert not Overheard(KEY, b"no JSON", {}).by_a_service()


def test_the_messages_by_hand_of_the_operations_guide_are_as_described():
    guide = (ROOT / "docs/operations.md").read_text().replace('\\"', '"')
    bodies = re.findall(r'\{"job":[^}]*\}', guide)
    assert len(bodies) >= 2
    for text in bodies:
        assert faults_of("scheduler.run_job.v1", json.loads(text)) == []
