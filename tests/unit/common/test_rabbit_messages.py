"""What a message on RabbitMQ is read as, whoever wrote it, and what is remembered of it."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from common.bus.rabbitmq.memory import Memory
from common.bus.rabbitmq.messages import delivery_of


def delivered(headers: dict[str, Any], *, redelivered: bool = False, **properties: Any) -> Any:
    """Return what stands in for a delivered message."""
    given = {"body": b"{}", "routing_key": "a.b.v1", "message_id": None, "timestamp": None}
    return SimpleNamespace(headers=headers, redelivered=redelivered, **{**given, **properties})


def returned(times: int, **properties: Any) -> Any:
    headers = {"x-delivery-count": times} if times else {}
    return delivered(headers, redelivered=times > 0, **properties)


@pytest.mark.parametrize(("written", "attempt"), [(2, 3), (-5, 1), ("many", 1), (None, 1)])
def test_attempts_that_a_hand_has_written_give_a_message_no_more_of_them(written, attempt):
    assert delivery_of(delivered({"attempts": written}), "orders").attempts == attempt


def test_a_count_of_returns_is_the_brokers_only_when_it_has_returned():
    assert delivery_of(delivered({"x-delivery-count": 99}), "orders").unanswered == 0
    assert delivery_of(returned(2), "orders").unanswered == 2


def test_a_return_from_our_own_hands_is_no_death_and_one_from_anothers_is():
    memory = Memory()
    assert memory.returned_by_us(returned(0)) == 0
    assert memory.returned_by_us(returned(1)) == 1
    # The second time somebody else had it, and a third time we.
    assert memory.returned_by_us(returned(3)) == 2
    assert delivery_of(returned(3), "orders", forgiven=2).unanswered == 1
    assert memory.returned_by_us(returned(4)) == 3


def test_whoever_has_just_begun_forgives_nothing():
    assert Memory().returned_by_us(returned(4)) == 0


@pytest.mark.parametrize(
    "other",
    [
        {"message_id": "b"},
        {"message_id": "a", "timestamp": datetime(2026, 11, 25, tzinfo=UTC)},
        {"message_id": None, "body": b"[]"},
    ],
)
def test_what_is_remembered_of_a_message_says_nothing_of_another_or_of_its_copy(other):
    memory = Memory()
    memory.returned_by_us(returned(0, message_id="a"))
    memory.returned_by_us(returned(0))
    assert memory.returned_by_us(returned(1, **other)) == 0


def test_a_message_that_comes_as_new_again_begins_anew():
    memory = Memory()
    for times in (0, 1, 0):
        memory.returned_by_us(returned(times))
    assert memory.returned_by_us(returned(2)) == 1


def test_only_the_latest_are_remembered():
    memory = Memory(most=2)
    for name in ("a", "b", "c"):
        memory.returned_by_us(returned(0, message_id=name))
    assert [memory.returned_by_us(returned(1, message_id=name)) for name in "cba"] == [1, 1, 0]
