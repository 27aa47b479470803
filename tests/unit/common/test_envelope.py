"""What travels around a message, and what arrives when it was written badly."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.events import Envelope, Unparseable
from common.events.auth import UserRegistered
from common.events.scheduler import RunJob

REGISTERED = UserRegistered(user_id=UUID(int=1), email="ada@example.com", full_name="Ada")
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def test_a_message_and_its_circumstances_survive_the_wire():
    sent = Envelope.of(
        REGISTERED,
        producer="auth",
        occurred_at=NOON,
        run_id=uuid4(),
        causation_id=uuid4(),
        user_id=REGISTERED.user_id,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    arrived = Envelope.from_bytes(sent.to_bytes(), sent.routing_key)

    assert arrived == sent
    assert arrived.message() == REGISTERED
    assert arrived.routing_key == "user.registered.v1"


def test_every_envelope_has_an_id_of_its_own():
    assert (
        Envelope.of(REGISTERED, producer="auth").id != Envelope.of(REGISTERED, producer="auth").id
    )


def test_a_bare_payload_is_named_by_its_routing_key():
    arrived = Envelope.from_bytes(
        b'{"job": "nightly", "requested_by": "ops"}', "scheduler.run_job.v1"
    )

    assert arrived.message() == RunJob(job="nightly", requested_by="ops")
    assert isinstance(arrived.id, UUID)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "a JSON list"),
        (b"null", "a JSON NoneType"),
        (b'{"name": 1, "payload": {}}', "envelope is broken"),
        (b'{"name": "a", "payload": []}', "envelope is broken"),
        (b'{"name": "a", "payload": {}, "id": "7"}', "envelope is broken"),
    ],
)
def test_what_is_no_envelope_is_unparseable(body, complaint):
    with pytest.raises(Unparseable, match=complaint):
        Envelope.from_bytes(body, "user.registered.v1")


def test_a_bare_payload_under_a_key_without_a_version_is_unparseable():
    with pytest.raises(Unparseable, match="envelope is broken"):
        Envelope.from_bytes(b"{}", "user.registered")


def test_an_unknown_name_is_unparseable():
    with pytest.raises(Unparseable, match=r"no contract is called user\.vanished\.v1"):
        Envelope(name="user.vanished", payload={}).message()


def test_a_broken_payload_is_unparseable_and_says_where():
    with pytest.raises(Unparseable, match="user_id"):
        Envelope(name="user.registered", payload={"email": "x", "full_name": "y"}).message()


def test_a_field_that_a_newer_producer_added_is_ignored():
    payload = {**REGISTERED.model_dump(mode="json"), "shoe_size": 43}

    assert Envelope(name="user.registered", payload=payload).message() == REGISTERED


@given(st.binary(max_size=200))
def test_no_body_raises_anything_but_unparseable(body):
    try:
        Envelope.from_bytes(body, "user.registered.v1")
    except Unparseable:
        return


def test_what_is_unparseable_is_not_repeated_in_the_sentence():
    """The sentence goes to logs, and a book's positions must not."""
    position = {"symbol": "SECRET", "quantity": "many"}
    book = {"portfolio_id": "many", "positions": [position]}
    with pytest.raises(Unparseable, match=r"book\.portfolio_id: ") as failed:
        Envelope(name="portfolio.created", payload={"book": book}).message()
    assert "SECRET" not in str(failed.value)
    assert "many" not in str(failed.value)
    assert "http" not in str(failed.value), "one line that a person reads"
    assert str(failed.value).endswith("; and 10 more")

    with pytest.raises(Unparseable) as failed:
        Envelope.from_bytes(b'{"name": "a", "payload": "SECRET"}', "a.v1")
    assert "SECRET" not in str(failed.value)
