"""How long a queue's first message has waited, as far as the protocol lets one know."""

from dataclasses import dataclass, field
from time import time


@dataclass
class Head:
    """The least that is known: nothing in the queue came before `since`.

    AMQP does not show a queue's head without taking it. But a queue is first in, first out: what
    remains is younger than what was taken, and than the last moment at which nothing was there.
    Of the time before this process looked for the first time it knows nothing.
    """

    since: float = field(default_factory=time)
    """Seconds since the epoch."""

    def taken(self, published_at: float) -> None:
        """Learn that a message of this time was taken."""
        self.since = max(self.since, published_at)

    def waited(self, waiting: int) -> float:
        """Return the seconds that the first of so many waiting messages has waited, at most."""
        now = time()
        if not waiting:
            self.since = now
        return max(now - self.since, 0.0)
