"""Which queue hears what."""

import pytest

from common.events import COMMANDS, EVENTS
from common.events.topology import TOPOLOGY, Queue, Topology, topic_matches


@pytest.mark.parametrize(
    ("pattern", "matched", "unmatched"),
    [
        ("a.b.v1", ["a.b.v1"], ["a.b.v2", "a.b", "a.b.v1.c", "aXb.v1", "xa.b.v1"]),
        ("a.*.v1", ["a.b.v1", "a.risk-engine.v1"], ["a.v1", "a.b.c.v1", "b.b.v1"]),
        ("#", ["a", "a.b.v1"], []),
        ("a.#", ["a", "a.b", "a.b.c"], ["ab", "b.a"]),
        ("#.v1", ["v1", "a.v1", "a.b.v1"], ["a.v1.b", "av1"]),
        ("a.#.v1", ["a.v1", "a.b.v1", "a.b.c.v1"], ["av1", "b.a.v1"]),
        ("*.*", ["a.b"], ["a", "a.b.c"]),
        ("run_job+.v1", ["run_job+.v1"], ["run_jobb.v1"]),
    ],
)
def test_a_pattern_matches_word_by_word(pattern, matched, unmatched):
    assert [key for key in (*matched, *unmatched) if topic_matches(pattern, key)] == matched


def test_a_queue_wants_its_patterns_and_its_commands():
    queue = Queue("clerk", ("order.*.v1",), commands=("clerk.file.v1",))

    assert queue.wants("order.placed.v1")
    assert queue.wants("clerk.file.v1")
    assert not queue.wants("clerk.burn.v1")


def test_a_command_has_one_taker():
    with pytest.raises(ValueError, match="more than one"):
        Topology((Queue("a", commands=("do.v1",)), Queue("b", commands=("do.v1",))))


def test_a_queue_that_is_not_in_the_table_is_not_found():
    assert TOPOLOGY.queue("auth").name == "auth"
    with pytest.raises(KeyError):
        TOPOLOGY.queue("nobody")


def test_every_pattern_of_the_table_catches_an_event_of_the_catalogue():
    keys = [event.routing_key() for event in EVENTS]
    idle = [
        (queue.name, pattern)
        for queue in TOPOLOGY.queues
        for pattern in queue.patterns
        if not any(topic_matches(pattern, key) for key in keys)
    ]

    assert idle == []


def test_every_command_of_the_catalogue_has_a_taker():
    assert {command.routing_key() for command in COMMANDS} == TOPOLOGY.commands
