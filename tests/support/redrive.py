"""Redrives a queue's dead letters: `python -m tests.support.redrive <url> <namespace> <queue>`."""

import asyncio
import sys

from common.bus.connect import connect
from common.events.topology import TOPOLOGY


async def main(url: str, namespace: str, queue: str) -> None:
    """Redrive all of them once."""
    bus = connect(url, TOPOLOGY, namespace=namespace)
    await bus.redrive(queue)
    await bus.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
