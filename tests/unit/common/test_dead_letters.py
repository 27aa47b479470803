"""Letters as people see them, and all places as one workbench."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from common.bus import DeadLetter
from common.dead_letters import Letters, Place, QueueLetters, Selection, UnknownPlace, Workbench
from common.dead_letters.letters import page_of
from common.errors import Unavailable
from common.events import Envelope
from common.events.auth import UserRegistered
from tests.support.recording_bus import RecordingBus

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"
NUMBERS = count(1)


def envelope(**options: object) -> Envelope:
    event = UserRegistered(user_id=UUID(int=1), email="ada@example.com", full_name="Ada")
    return Envelope.of(
        event,
        producer="auth",
        occurred_at=NOON,
        user_id=UUID(int=1),
        traceparent=f"00-{TRACE}-b7ad6b7169203331-01",
        **options,  # type: ignore[arg-type]  # ids of the test's choice
    )


def letter(
    reason: str = "ValueError: 1", body: bytes | None = None, *, minutes: int = 0, queue="chat"
) -> DeadLetter:
    content = envelope().to_bytes() if body is None else body
    return DeadLetter(
        id=str(next(NUMBERS)),
        queue=queue,
        routing_key="user.registered.v1",
        body=content,
        size=len(content),
        message_id=None,
        reason=reason,
        stack="Traceback",
        attempts=3,
        traceparent=None,
        died_at=NOON + timedelta(minutes=minutes),
    )


def of(*letters: DeadLetter) -> QueueLetters:
    return QueueLetters(RecordingBus(letters=list(letters)), "chat")


async def test_a_list_tells_of_each_letter_whose_flow_and_trace_it_is_but_not_what_it_says():
    run_id = uuid4()
    dead = letter(body=envelope(run_id=run_id).to_bytes())
    page = await of(dead).look(group=None, limit=10)
    [shown] = page.letters
    assert shown.id == f"queue:chat:{dead.id}"
    assert (shown.run_id, shown.user_id, shown.trace_id) == (run_id, UUID(int=1), TRACE)
    assert shown.size == dead.size
    assert "Ada" not in page.model_dump_json()


async def test_one_letter_holds_all_that_a_person_needs_to_decide():
    run_id, cause = uuid4(), uuid4()
    dead = letter(body=envelope(run_id=run_id, causation_id=cause).to_bytes())
    shown = await of(dead).find(dead.id)
    assert shown is not None
    assert shown.payload == {
        "user_id": str(UUID(int=1)),
        "email": "ada@example.com",
        "full_name": "Ada",
    }
    assert (shown.stack, shown.producer, shown.occurred_at) == ("Traceback", "auth", NOON)
    assert (shown.causation_id, shown.body) == (cause, None)
    assert await of(dead).find("no such letter") is None


@pytest.mark.parametrize(
    ("body", "payload", "text"),
    [
        (b'{"job": "nightly"}', {"job": "nightly"}, None),
        (b"[1, 2]", [1, 2], None),
        (b"{not json", None, "{not json"),
        (b"\xff\xfe", None, "\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
        (b'{"payload": NaN}', None, '{"payload": NaN}'),
        (b'{"payload": "\\ud800"}', None, '{"payload": "\\ud800"}'),
        (b"[" * 100_000, None, "[" * 100_000),
        (b'{"payload": {}, "run_id": 7, "producer": [], "occurred_at": "soon"}', {}, None),
        (b"", None, ""),
    ],
)
async def test_a_letter_whose_body_anybody_may_have_written_can_be_shown(body, payload, text):
    dead = letter(body=body)
    shown = await of(dead).find(dead.id)
    assert shown is not None
    assert (shown.payload, shown.body) == (payload, text)
    assert shown.run_id is None
    assert shown.model_dump_json()


async def test_a_large_letter_in_a_list_still_tells_whose_it_is():
    large = envelope().model_copy(update={"payload": {"papers": "x" * 5 * 1024 * 1024}})
    page = await of(letter(body=large.to_bytes())).look(group=None, limit=10)
    assert page.letters[0].user_id == UUID(int=1)
    assert page.letters[0].size > 5 * 1024 * 1024
    assert len(page.model_dump_json()) < 2_000


async def test_letters_of_one_cause_are_one_group_and_the_largest_comes_first():
    faults = [letter(f"ValueError: {n}", minutes=n) for n in range(5)]
    letters = of(*faults, letter("KeyError: 'a'"))
    page = await letters.look(group=None, limit=3)
    (many, one) = page.groups
    assert (many.count, many.reason, many.newest) == (5, "ValueError: 4", page.letters[0].id)
    assert (many.first_died_at, many.last_died_at) == (NOON, NOON + timedelta(minutes=4))
    assert (many.least_attempts, many.most_attempts) == (3, 3)
    assert [shown.reason for shown in page.letters] == [f"ValueError: {n}" for n in (4, 3, 2)]
    assert (page.total, page.complete) == (6, True)

    page = await letters.look(group=one.id, limit=3)
    assert (page.groups, page.total) == ([one], 1)
    assert [shown.reason for shown in page.letters] == ["KeyError: 'a'"]


async def test_a_page_says_when_there_are_more_letters_than_were_looked_at():
    page = await of(letter()).look(group=None, limit=10)
    some = page_of(page.letters, total=7_000, group=None, limit=10)
    assert (some.total, some.complete) == (7_000, False)


async def test_a_group_is_redriven_or_discarded_and_the_others_stay():
    letters = of(letter("ValueError: 1"), letter("ValueError: 2"), letter("KeyError: 'a'"))
    first = (await letters.look(group=None, limit=1)).groups[0].id
    assert await letters.redrive(Selection(group=first)) == 2
    assert await letters.redrive(Selection(group=first)) == 0
    assert await letters.discard(Selection(group="another")) == 0
    assert await letters.discard(Selection(all=True)) == 1


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"all": False},
        {"ids": []},
        {"ids": ["queue:chat:1"], "group": "a"},
        {"group": "a", "all": True},
        {"ids": ["queue:chat:1"], "service": "chat"},
        {"all": True, "service": "nobody"},
        {"all": True, "kind": "nothing"},
        {"all": True, "everything": True},
        {"group": ""},
        *({"ids": [wrong]} for wrong in ("", "17", "queue:chat:", "queue:nobody:1", "box:chat:1")),
        {"ids": ["queue:chat:1"] * 1_001},
    ],
)
def test_a_selection_that_does_not_say_which_is_refused(given):
    with pytest.raises(ValidationError):
        Selection.model_validate(given)


def test_a_letters_id_names_its_place_whatever_it_is_there():
    assert Place.of("queue:risk-engine:a:b/c") == (Place("queue", "risk-engine"), "a:b/c")
    with pytest.raises(UnknownPlace, match="queue:chat:17"):
        Place.of("17")


def bench() -> tuple[RecordingBus, RecordingBus, Workbench]:
    up = RecordingBus(letters=[letter(), letter(minutes=2)])
    down = RecordingBus(letters=[letter(queue="auth", minutes=1)])
    places: list[Letters] = [QueueLetters(up, "chat"), QueueLetters(down, "auth")]
    return up, down, Workbench(places)


async def test_all_places_are_looked_at_as_one():
    *_, workbench = bench()
    found = await workbench.look(limit=2)
    assert [(group.service, group.count) for group in found.groups] == [("chat", 2), ("auth", 1)]
    assert [shown.service for shown in found.letters] == ["chat", "auth"]
    assert (found.total, found.complete, found.unreachable) == (3, True, [])
    assert (await workbench.look(service="auth")).total == 1
    assert (await workbench.look(kind="work")).total == 0


async def test_a_place_that_does_not_answer_is_named():
    _, down, workbench = bench()
    down.down = True
    found = await workbench.look()
    assert [(one.place, one.reason) for one in found.unreachable] == [
        ("queue:auth", "the bus is down")
    ]
    assert (found.total, found.complete) == (2, False)
    moved = await workbench.redrive(Selection(all=True))
    assert (moved.moved, moved.places) == (2, {"queue:chat": 2})
    assert [one.place for one in moved.unreachable] == ["queue:auth"]
    with pytest.raises(Unavailable):
        await workbench.find("queue:auth:1")


async def test_a_place_that_fails_oddly_hides_no_other():
    class Odd(RecordingBus):
        async def dead_letter_count(self, queue: str) -> int:
            raise KeyError(queue)

        async def redrive(self, queue: str, *_: object, **__: object) -> int:
            raise KeyError(queue)

    up, *_ = bench()
    workbench = Workbench([QueueLetters(up, "chat"), QueueLetters(Odd(), "auth")])
    found = await workbench.look()
    assert (found.total, [one.place for one in found.unreachable]) == (2, ["queue:auth"])
    moved = await workbench.redrive(Selection(all=True))
    assert (moved.moved, [one.place for one in moved.unreachable]) == (2, ["queue:auth"])


async def test_ids_are_asked_for_only_where_they_are():
    up, down, workbench = bench()
    down.down = True
    ids = [f"queue:chat:{one.id}" for one in up.letters]
    moved = await workbench.discard(Selection(ids=tuple(ids)))
    assert (moved.moved, moved.unreachable) == (2, [])
    moved = await workbench.discard(Selection(ids=(*ids, "work:chat:1")))
    assert (moved.moved, moved.places) == (0, {}), "nothing there, and no such place here"
    assert await workbench.find("queue:chat:0") is None


async def test_places_are_asked_at_the_same_time():
    class Slow(RecordingBus):
        async def dead_letter_count(self, queue: str) -> int:
            await asyncio.sleep(0.2)
            return 0

    places: list[Letters] = [QueueLetters(Slow(), "chat") for _ in range(1)]
    places += [QueueLetters(Slow(), name) for name in ("auth", "gateway", "scheduler")]
    async with asyncio.timeout(0.5):
        await Workbench(places).look()
