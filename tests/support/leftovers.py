"""What must not be left when the system has come to rest."""

import asyncio

import asyncpg

from common.bus import Bus
from common.events.topology import TOPOLOGY
from common.settings import SERVICES, schema_of

TABLES = [f"{schema_of(service)}.{table}" for service in SERVICES for table in ("outbox", "work")]
# One statement is one snapshot: a row cannot slip from one table to the next between two looks.
COUNTS = " UNION ALL ".join(
    f"SELECT '{table}' AS place, count(*) AS rows FROM {table}" for table in TABLES
)
BETWEEN_LOOKS = 0.3


async def leftovers(admin_url: str, bus: Bus) -> dict[str, int]:
    """Return every outbox, work table, queue and dead-letter queue that is not empty."""
    connection = await asyncpg.connect(admin_url)
    try:
        counts = {row["place"]: row["rows"] for row in await connection.fetch(COUNTS)}
    finally:
        await connection.close()
    for queue in TOPOLOGY.queues:
        counts[f"queue {queue.name}"] = await bus.depth(queue.name)
        counts[f"dead letters {queue.name}"] = len(await bus.dead_letters(queue.name))
    return {name: count for name, count in counts.items() if count}


async def at_rest(admin_url: str, bus: Bus) -> bool:
    """Whether nothing is left, at two looks: what is between a queue and a table shows at one."""
    for _ in range(2):
        if await leftovers(admin_url, bus):
            return False
        await asyncio.sleep(BETWEEN_LOOKS)
    return True
