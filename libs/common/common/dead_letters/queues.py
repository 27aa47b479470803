"""The dead letters of a queue: messages that a service's handler could not take."""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from common.bus import Bus, DeadLetter, Where
from common.dead_letters.letters import (
    Letter,
    Page,
    Place,
    Selection,
    WholeLetter,
    cause_group,
    page_of,
)
from common.telemetry import trace_id

LOOKED_AT = 5_000
"""Letters of one place that are looked at for a list; more are counted only."""
_PAYLOAD = b',"payload":'
"""Where an envelope's own fields end: `Envelope` writes its payload last."""
_TIME = TypeAdapter(datetime)


@dataclass(frozen=True)
class QueueLetters:
    """One queue's letters; they are there even when its service is not."""

    bus: Bus
    queue: str

    @property
    def place(self) -> Place:
        """Return where they are."""
        return Place("queue", self.queue)

    async def look(self, *, group: str | None, limit: int) -> Page:
        """Return causes and letters, of one cause or of all."""
        total = await self.bus.dead_letter_count(self.queue)
        heads = await self.bus.dead_letters(self.queue, limit=LOOKED_AT, heads=True)
        letters = [self._letter(head) for head in heads]
        return page_of(letters, total=max(total, len(letters)), group=group, limit=limit)

    async def find(self, within: str) -> WholeLetter | None:
        """Return one letter with all it says, or None."""
        letter = await self.bus.dead_letter(self.queue, within)
        if letter is None:
            return None
        document = _document(letter.body)
        told = document if isinstance(document, dict) and "payload" in document else {}
        return WholeLetter(
            **self._letter(letter).model_dump(),
            stack=letter.stack,
            occurred_at=_time(told.get("occurred_at")),
            producer=_text(told.get("producer")),
            causation_id=_uuid(told.get("causation_id")),
            payload=told.get("payload", document),
            body=letter.body.decode(errors="replace") if document is None else None,
        )

    async def redrive(self, selection: Selection) -> int:
        """Give letters back to their queue as new; return how many."""
        return await self.bus.redrive(
            self.queue, selection.within(self.place), where=self._where(selection)
        )

    async def discard(self, selection: Selection) -> int:
        """Delete letters; return how many."""
        return await self.bus.discard(
            self.queue, selection.within(self.place), where=self._where(selection)
        )

    def _where(self, selection: Selection) -> Where | None:
        if selection.group is None:
            return None
        return lambda head: self._group(head) == selection.group

    def _group(self, letter: DeadLetter) -> str:
        return cause_group(self.place, letter.routing_key, letter.reason)

    def _letter(self, letter: DeadLetter) -> Letter:
        told = _circumstances(letter)
        return Letter(
            id=self.place.letter(letter.id),
            kind="queue",
            service=self.queue,
            name=letter.routing_key,
            group=self._group(letter),
            reason=letter.reason,
            attempts=letter.attempts,
            died_at=letter.died_at,
            size=letter.size,
            message_id=letter.message_id,
            trace_id=trace_id(letter.traceparent) or trace_id(_text(told.get("traceparent"))),
            run_id=_uuid(told.get("run_id")),
            user_id=_uuid(told.get("user_id")),
        )


def _circumstances(letter: DeadLetter) -> dict[str, Any]:
    """Return the envelope's fields, as far as they can be read."""
    body = letter.body
    if len(body) < letter.size:
        # Only a head: what comes before the payload is whole.
        fields, found, _ = body.partition(_PAYLOAD)
        body = fields + b"}" if found else b""
    document = _document(body)
    return document if isinstance(document, dict) else {}


def _document(body: bytes) -> Any:
    """Return the JSON document, or None when it is none that could be written again."""
    # A body by hand may be nested without end, hold NaN or half a character.
    with suppress(ValueError, RecursionError):
        document = json.loads(body)
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()
        return document
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _uuid(value: object) -> UUID | None:
    with suppress(ValueError):
        return UUID(value) if isinstance(value, str) else None
    return None


def _time(value: object) -> datetime | None:
    with suppress(ValidationError):
        return _TIME.validate_python(value)
    return None
