"""What a consumer remembers of its deliveries, so that a lost connection is nobody's death.

The broker counts every return of a message and cannot tell a worker that died from one that only
lost its connection. Whoever lives on can: a message that it had been given before, with a lower
count, came back although nobody died. A process that died remembers nothing, so its returns count
for whoever comes after it; and so do those of another process, of which nobody here can know
whether it lives.
"""

from collections import OrderedDict
from datetime import datetime
from hashlib import sha256

from aio_pika.abc import AbstractIncomingMessage

from common.bus.rabbitmq import messages

REMEMBERED = 1_024
"""Messages of a queue. What may come back was in hand a moment ago: a few at once, or their
acknowledgements were on the way."""

Identity = tuple[str | bytes, datetime | None]


class Memory:
    """The deliveries of one queue that this process had, the latest last."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._given: OrderedDict[Identity, tuple[int, ...]] = OrderedDict()

    def returned_by_us(self, message: AbstractIncomingMessage) -> int:
        """Note a delivery; return how many of its returns were from our own hands."""
        returns, identity = messages.returns(message), _identity(message)
        # A copy begins anew at 0, and then nothing of the message before it is meant any more.
        ours = tuple(one for one in self._given.pop(identity, ()) if one < returns)
        self._given[identity] = (*ours, returns)
        if len(self._given) > self._most:
            self._given.popitem(last=False)
        return len(ours)


def _identity(message: AbstractIncomingMessage) -> Identity:
    # Copies carry the name of their original, but a time of their own.
    return messages.name_of(message) or sha256(message.body).digest(), message.timestamp
