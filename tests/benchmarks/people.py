"""People with accounts, made before anything is timed: hashing a password is slow on purpose."""

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

from deploy.cli.client import Client

INVITE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
PASSWORD = "Secret-123"
AT_ONCE = 4


@dataclass(frozen=True)
class Person:
    """A user with a session."""

    user_id: UUID
    token: str


async def people(address: str, count: int) -> list[Person]:
    """Return so many new users, logged in."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def newcomer() -> Person:
        async with turn, Client(address) as client:
            email = f"{uuid4().hex}@example.com"
            await client.register(email, PASSWORD, "Load Bearer", INVITE)
            await client.login(email, PASSWORD)
            me = await client._ask("GET", "/auth/me")
            token = client._http.headers["Authorization"].removeprefix("Bearer ")
            return Person(UUID(me["id"]), token)

    return await asyncio.gather(*(newcomer() for _ in range(count)))
