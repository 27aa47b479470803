"""A bus that keeps what is published, for tests of one service."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.bus import Backlog, DeadLetter, FailureListener, Handler, Retry, nobody
from common.errors import Unavailable
from common.events import Envelope, Event


class _Idle:
    healthy = True

    async def close(self) -> None:
        return


@dataclass
class RecordingBus:
    """Accepts everything, delivers nothing; `down` makes it refuse."""

    published: list[Envelope] = field(default_factory=list)
    down: bool = False

    async def declare(self) -> None:
        return

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        if self.down:
            raise Unavailable("the bus is down")
        self.published.extend(envelopes)

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

    async def dead_letters(self, queue: str, *, limit: int = 100) -> list[DeadLetter]:
        return []

    async def redrive(self, queue: str, ids: Sequence[str] | None = None) -> int:
        return 0

    async def discard(self, queue: str, ids: Sequence[str] | None = None) -> int:
        return 0

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

    def events(self, contract: type[Event]) -> list[Event]:
        """Return the published events of one contract, in order."""
        return [
            envelope.message()  # type: ignore[misc]  # the name says which contract it is
            for envelope in self.published
            if envelope.name == contract.NAME
        ]
