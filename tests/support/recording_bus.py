"""A bus that keeps what is published, and notes what AsyncAPI does not describe."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from common.bus import (
    HEAD_BYTES,
    Backlog,
    DeadLetter,
    FailureListener,
    Handler,
    Retry,
    Where,
    nobody,
)
from common.errors import Unavailable
from common.events import Envelope, Event
from tests.support.contracts import faults_of_envelope


class _Idle:
    healthy = True

    async def close(self) -> None:
        return


@dataclass
class RecordingBus:
    """Accepts everything, delivers nothing; `down` makes it refuse.

    What is not as the committed document describes is noted, not raised: a relay would take the
    error for the bus's own and try for ever. The harness asks for the notes at the end.
    """

    published: list[Envelope] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    redriven: list[DeadLetter] = field(default_factory=list)
    down: bool = False
    undescribed: list[str] = field(default_factory=list)

    async def declare(self) -> None:
        return

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.down:
            raise Unavailable("the bus is down")
        self.published.extend(envelopes)
        for envelope in envelopes:
            self.undescribed += faults_of_envelope(envelope)

    async def subscribe(
        self,
        queue: str,
        handler: Handler,
        *,
        retry: Retry | None = None,
        concurrency: int = 8,
        on_failure: FailureListener = nobody,
    ) -> _Idle:
        return _Idle()

    async def dead_letters(
        self, queue: str, *, limit: int = 100, heads: bool = False
    ) -> list[DeadLetter]:
        there = self._of(queue)[:limit]
        return [
            replace(one, stack="", body=one.body[:HEAD_BYTES]) if heads else one for one in there
        ]

    async def dead_letter(self, queue: str, letter_id: str) -> DeadLetter | None:
        return next((one for one in self._of(queue) if one.id == letter_id), None)

    async def dead_letter_count(self, queue: str) -> int:
        return len(self._of(queue))

    async def redrive(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        chosen = self._take(queue, ids, where)
        self.redriven += chosen
        return len(chosen)

    async def discard(
        self, queue: str, ids: Sequence[str] | None = None, *, where: Where | None = None
    ) -> int:
        return len(self._take(queue, ids, where))

    async def depth(self, queue: str) -> int:
        return 0

    async def backlog(self, queue: str) -> Backlog:
        if self.down:
            raise Unavailable("the bus is down")
        return Backlog(0, 0.0, 0)

    async def health(self) -> None:
        if self.down:
            raise Unavailable("the bus is down")

    async def close(self) -> None:
        return

    def _of(self, queue: str) -> list[DeadLetter]:
        if self.down:
            raise Unavailable("the bus is down")
        return [letter for letter in self.letters if letter.queue == queue]

    def _take(self, queue: str, ids: Sequence[str] | None, where: Where | None) -> list[DeadLetter]:
        chosen = [
            one
            for one in self._of(queue)
            if (ids is None or one.id in ids) and (where is None or where(one))
        ]
        self.letters = [letter for letter in self.letters if letter not in chosen]
        return chosen

    def events(self, contract: type[Event]) -> list[Event]:
        """Return the published events of one contract, in order."""
        return [
            envelope.message()  # type: ignore[misc]  # the name says which contract it is
            for envelope in self.published
            if envelope.name == contract.NAME
        ]
