"""One service asks another, over real sockets."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from common.client import ServiceClient
from common.errors import Unavailable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def breaking_off(at: int):
    """Lend a client of a service that takes its request number `at` without a word."""
    heads: list[bytes] = []

    async def serve(reader, writer):
        try:
            while True:
                heads.append(await reader.readuntil(b"\r\n\r\n"))
                if len(heads) == at:
                    return
                writer.write(OK)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = ServiceClient("http://{}:{}".format(*server.sockets[0].getsockname()), "token")
    try:
        yield client, heads
    finally:
        await client.close()
        server.close()


async def test_a_question_whose_connection_breaks_is_asked_again():
    async with breaking_off(2) as (client, heads):
        assert [(await client.get("/x")).status_code for _ in range(3)] == [200] * 3
        assert len(heads) == 4


async def test_a_change_whose_connection_breaks_is_not_made_twice():
    async with breaking_off(2) as (client, heads):
        await client.post("/x")
        with pytest.raises(Unavailable):
            await client.post("/x")
        assert len(heads) == 2
