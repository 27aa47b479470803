"""A consumer in a process of its own: `python -m tests.support.bus_worker <json options>`.

Says `ready` when it consumes, then a line per message: `took <n>`, or `holding <n>` when it never
finishes, or nothing more when the message kills it.
"""

import asyncio
import json
import os
import signal
import sys

from common.bus.connect import connect
from common.events import Envelope
from common.events.topology import Queue, Topology
from common.retry import Retry


def _say(word: str, envelope: Envelope) -> None:
    print(word, envelope.payload["n"], flush=True)


async def _take(envelope: Envelope) -> None:
    await asyncio.sleep(0.005)
    _say("took", envelope)


async def _hold(envelope: Envelope) -> None:
    _say("holding", envelope)
    await asyncio.Event().wait()


async def _die(envelope: Envelope) -> None:
    _say("dying of", envelope)
    os.kill(os.getpid(), signal.SIGKILL)


async def _die_of_1(envelope: Envelope) -> None:
    # What is in hand beside it has begun by then and has not ended.
    if envelope.payload["n"] == 1:
        await asyncio.sleep(0.15)
        await _die(envelope)
    await asyncio.sleep(0.3)
    _say("took", envelope)


BEHAVIOURS = {"take": _take, "hold": _hold, "die": _die, "die of 1": _die_of_1}


async def main(
    url: str, namespace: str, queue: str, ladder: list[float], lease: float, behaviour: str
) -> None:
    """Consume until killed."""
    bus = connect(
        url,
        Topology((Queue(queue),)),
        namespace=namespace,
        retry=Retry(tuple(ladder)),
        lease=lease,
    )
    subscription = await bus.subscribe(queue, BEHAVIOURS[behaviour])
    while not subscription.healthy:
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
