"""One service, spoken to over real sockets."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from common.errors import Unavailable
from gateway.clients.upstream import Broken, Outgoing, Silent, Upstream

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def service(serve):
    connections = []

    async def take(reader, writer):
        task = asyncio.current_task()
        assert task is not None
        connections.append(task)
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    upstream = Upstream("http://{}:{}".format(*server.sockets[0].getsockname()))
    try:
        yield upstream, connections
    finally:
        upstream.close()
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def get(method=b"GET", *, timeout=5.0, body=None, headers=()):
    return Outgoing(method, b"/x?y=1", [(b"host", b"a"), *headers], body, timeout)


async def read(upstream, outgoing):
    async with upstream.exchange(outgoing) as answer:
        return answer.status, b"".join([part async for part in answer.chunks()])


async def test_target_and_headers_arrive_to_the_byte():
    heads = []

    async def serve(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    async with service(serve) as (upstream, _):
        assert await read(upstream, get()) == (200, b"{}")
    assert heads[0].startswith(b"GET /x?y=1 HTTP/1.1\r\n")


async def test_a_body_of_unknown_size_goes_in_chunks_and_the_connection_is_used_again():
    bodies = []

    async def serve(reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"chunked" in head:
                bodies.append(await reader.readuntil(b"0\r\n\r\n"))
            writer.write(OK)

    async def parts():
        yield b"one"
        yield b"two"

    chunked = [(b"transfer-encoding", b"chunked")]
    async with service(serve) as (upstream, connections):
        await read(upstream, get(b"POST", body=parts(), headers=chunked))
        await read(upstream, get())
        assert len(connections) == 1
    assert bodies == [b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"]


async def test_an_answer_without_a_size_ends_with_its_connection():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
        await writer.drain()
        writer.close()

    async with service(serve) as (upstream, _):
        assert await read(upstream, get()) == (200, b"all of it")


async def test_an_interim_answer_is_passed_over():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
        await reader.read()

    async with service(serve) as (upstream, _):
        assert await read(upstream, get()) == (200, b"{}")


async def test_the_head_alone_has_no_body_whatever_its_size_says():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        await reader.read()

    async with service(serve) as (upstream, _):
        assert await read(upstream, get(b"HEAD")) == (200, b"")


async def test_an_answer_shorter_than_it_said_is_broken():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
        await writer.drain()

    async with service(serve) as (upstream, _):
        with pytest.raises(Broken):
            await read(upstream, get())


async def test_an_answer_that_stops_half_way_is_broken():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc")
        await reader.read()

    async with service(serve) as (upstream, _):
        with pytest.raises(Broken):
            await read(upstream, get(timeout=0.2))


async def test_silence_is_told_from_absence():
    async def serve(reader, _writer):
        await reader.read()

    async with service(serve) as (upstream, _):
        with pytest.raises(Silent):
            await read(upstream, get(timeout=0.2))
    with pytest.raises(Unavailable):
        await read(upstream, get())


async def test_what_is_not_http_is_unavailable():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await reader.read()

    async with service(serve) as (upstream, _):
        with pytest.raises(Unavailable):
            await read(upstream, get())


async def test_an_early_refusal_is_heard_although_the_body_was_not_wanted():
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()

    async def parts():
        for _ in range(4):
            yield b"x" * 1000

    chunked = [(b"transfer-encoding", b"chunked")]
    async with service(serve) as (upstream, _):
        assert await read(upstream, get(b"POST", body=parts(), headers=chunked)) == (401, b"no")


async def test_a_caller_that_is_cancelled_hangs_up():
    asked, left = asyncio.Event(), asyncio.Event()

    async def serve(reader, _writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        left.set()

    async with service(serve) as (upstream, _):
        request = asyncio.create_task(read(upstream, get()))
        await asked.wait()
        request.cancel()
        async with asyncio.timeout(5):
            await left.wait()


async def test_many_requests_at_once_each_get_their_own_answer():
    async def serve(reader, writer):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            number = head.split(b"x-number: ")[1].split(b"\r\n")[0]
            await asyncio.sleep(0.001 * (int(number) % 7))
            size = str(len(number)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: " + size + b"\r\n\r\n" + number)

    async with service(serve) as (upstream, connections):
        for _ in range(2):
            answers = await asyncio.gather(
                *(
                    read(upstream, get(headers=[(b"x-number", str(number).encode())]))
                    for number in range(100)
                )
            )
            assert [body for _, body in answers] == [str(number).encode() for number in range(100)]
        assert len(connections) <= 200


async def breaks_off_once(reader, writer, heads):
    """Answer one request, take the next one without a word, and answer whoever comes then."""
    while True:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if len(heads) == 2:
            return
        writer.write(OK)


async def test_a_question_whose_kept_connection_breaks_is_asked_again():
    heads: list[bytes] = []

    async def serve(reader, writer):
        await breaks_off_once(reader, writer, heads)

    async with service(serve) as (upstream, connections):
        assert await read(upstream, get()) == (200, b"{}")
        assert await read(upstream, get()) == (200, b"{}")
        assert (len(connections), len(heads)) == (2, 3)


async def test_a_change_whose_connection_breaks_is_not_made_twice():
    heads: list[bytes] = []

    async def serve(reader, writer):
        await breaks_off_once(reader, writer, heads)

    async with service(serve) as (upstream, _):
        assert await read(upstream, get(b"POST")) == (200, b"{}")
        with pytest.raises(Unavailable):
            await read(upstream, get(b"POST"))
        assert len(heads) == 2


async def test_a_question_is_asked_no_more_than_twice():
    heads = []

    async def serve(reader, _writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))

    async with service(serve) as (upstream, _):
        with pytest.raises(Unavailable):
            await read(upstream, get())
        assert len(heads) == 2


async def test_a_kept_connection_that_was_closed_meanwhile_takes_no_change():
    """The end has arrived, and the event loop has not yet looked."""
    closing = asyncio.Event()
    heads = []

    async def serve(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        if len(heads) == 1:
            writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            closing.set()

    async with service(serve) as (upstream, connections):
        async with upstream.exchange(get(b"POST")) as answer:
            assert [part async for part in answer.chunks()] == [b"{}"]
            await closing.wait()
        assert upstream._idle == [] or not upstream._idle[0].usable
        assert await read(upstream, get(b"POST")) == (200, b"{}")
        assert len(connections) == 2
