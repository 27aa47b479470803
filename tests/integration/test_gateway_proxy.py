"""REST through the gateway: what passes, what does not, and what the other side sees of it."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from starlette.responses import JSONResponse, Response, StreamingResponse

from common.telemetry import trace_id
from gateway.domain.routes import MIB
from tests.integration.gateway_world import gateway, gateway_with, raw_service, read_head

__all__ = ["gateway"]

USER = uuid4()
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
REPORT = f"/api/v1/analytics/portfolio/{uuid4()}/report"


def answering(gateway, request, answer):
    gateway.neighbours.answers[request] = answer


async def test_an_answer_comes_back_as_the_service_gave_it(gateway):
    body = b"\x1f\x8b\x08\x00not really gzip"
    cookies = [("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; HttpOnly")]

    def answer(_request):
        response = Response(body, 418, {"Content-Encoding": "gzip", "ETag": '"x"'}, "text/csv")
        response.raw_headers.extend((name.encode(), value.encode()) for name, value in cookies)
        return response

    answering(gateway, f"GET {REPORT}", answer)
    headers = gateway.neighbours.bearer(USER)
    async with gateway.http.stream("GET", REPORT, headers=headers) as passed:
        received = b"".join([chunk async for chunk in passed.aiter_raw()])
    assert passed.status_code == 418
    assert received == body
    assert passed.headers["content-encoding"] == "gzip"
    assert passed.headers["etag"] == '"x"'
    assert passed.headers["content-type"].startswith("text/csv")
    assert [pair for pair in passed.headers.multi_items() if pair[0] == "set-cookie"] == cookies
    assert len(passed.headers.get_list("date")) == 1
    assert len(passed.headers.get_list("x-request-id")) == 1


async def test_a_request_arrives_as_the_client_sent_it_in_the_same_trace(gateway):
    path = "/api/v1/data/prices/historical/BRK.B"
    answering(gateway, f"PUT {path}", lambda request: JSONResponse({}))
    answer = await gateway.http.put(
        f"{path}?q=a%20b&q=%2F&empty=",
        content=b"{}",
        headers={
            **gateway.neighbours.bearer(USER),
            "X-Internal-Token": "only-for-tests",
            "X-Mine": "kept",
        },
    )
    seen = gateway.neighbours.requests[-1]
    assert seen.url.query == "q=a%20b&q=%2F&empty="
    assert seen.headers["x-mine"] == "kept"
    assert "x-internal-token" not in seen.headers
    assert seen.headers["x-forwarded-for"] == "127.0.0.1"
    assert seen.headers["x-request-id"] == answer.headers["x-request-id"]
    assert trace_id(seen.headers["traceparent"]) == trace_id(answer.headers["traceparent"])
    assert seen.headers["authorization"].startswith("Bearer ")


async def test_twenty_megabytes_stream_down_while_they_are_made(gateway):
    released = asyncio.Event()

    async def parts():
        yield b"first"
        await released.wait()
        for _ in range(20):
            yield b"x" * MIB

    answering(gateway, f"GET {REPORT}", lambda request: StreamingResponse(parts()))
    headers = gateway.neighbours.bearer(USER)
    async with gateway.http.stream("GET", REPORT, headers=headers) as answer:
        stream = answer.aiter_raw()
        assert await anext(stream) == b"first"
        released.set()
        assert sum([len(part) async for part in stream]) == 20 * MIB


async def test_an_upload_of_unknown_size_streams_up(gateway):
    path = "/api/v1/onboarding/create-portfolio"
    sizes = []

    def answer(request):
        sizes.append(len(request._body))
        return JSONResponse({}, 201)

    answering(gateway, f"POST {path}", answer)

    async def parts():
        for _ in range(12):
            yield b"x" * MIB

    passed = await gateway.http.post(path, content=parts(), headers=gateway.neighbours.bearer(USER))
    assert passed.status_code == 201
    assert sizes == [12 * MIB]
    assert gateway.neighbours.requests[-1].headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize(
    ("path", "limit"),
    [("/api/v1/onboarding/create-portfolio", 16 * MIB), ("/api/v1/chat/send", MIB)],
)
async def test_a_body_announced_as_too_large_is_refused_unread(gateway, path, limit):
    gateway.neighbours.answers[f"POST {path}"] = {}
    headers = gateway.neighbours.bearer(USER)
    fits = await gateway.http.post(path, content=b"x" * limit, headers=headers)
    assert fits.status_code == 200
    before = len(gateway.neighbours.requests)
    answer = await gateway.http.post(path, content=b"x" * (limit + 1), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "ERR_TOO_LARGE"
    assert len(gateway.neighbours.requests) == before


async def test_a_body_that_grows_too_large_never_arrives_whole(database, tmp_path):
    arrived = bytearray()
    broken_off = asyncio.Event()

    async def swallow(reader, writer):
        await read_head(reader)
        while part := await reader.read(65536):
            arrived.extend(part)
        broken_off.set()

    async def parts():
        for _ in range(64):
            yield b"x" * 64 * 1024

    async with raw_service(swallow) as chat, gateway_with(database, tmp_path, chat=chat) as gateway:
        answer = await gateway.http.post(
            "/api/v1/chat/send", content=parts(), headers=gateway.neighbours.bearer(USER)
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "ERR_TOO_LARGE"
        async with asyncio.timeout(5):
            await broken_off.wait()
        assert len(arrived) < MIB + 64 * 1024


@pytest.mark.parametrize(
    "target",
    [
        "/internal/portfolios/1",
        "/api/v1/data/../../../internal/portfolios/1",
        "/api/v1/data/%2e%2e/%2e%2e/%2e%2e/internal/portfolios/1",
        "/api/v1/data/..%2f..%2f..%2finternal/portfolios/1",
        "//internal/portfolios/1",
        "/api/v1/strategies/list",
        "http://127.0.0.1/internal/portfolios/1",
    ],
)
async def test_an_address_outside_the_table_is_not_found_and_bothers_nobody(gateway, target):
    host, port = gateway.http.base_url.host, gateway.http.base_url.port
    token = gateway.neighbours.bearer(USER)["Authorization"]
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: {token}\r\n"
        f"X-Internal-Token: only-for-tests\r\nConnection: close\r\n\r\n".encode()
    )
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"ERR_NOT_FOUND" in answer
    assert gateway.neighbours.requests == []


async def test_the_gateways_own_letters_are_not_there_for_a_stranger_whose_body_is_not_read(
    gateway,
):
    """Its work table is asked about like any service's, but its port is everybody's."""
    host, port = gateway.http.base_url.host, gateway.http.base_url.port
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(
        b"POST /internal/dead-letters/discard HTTP/1.1\r\nHost: a\r\n"
        b"X-Internal-Token: guessed\r\nContent-Length: 10000000000\r\n\r\n"
    )
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 404 ")
    known = await gateway.http.post(
        "/internal/dead-letters/discard", json={"all": True}, headers=gateway.internal
    )
    assert known.json() == {"moved": 0}


async def test_a_service_that_is_away_is_503_with_a_hint_when_to_come_again(database, tmp_path):
    async with gateway_with(database, tmp_path, chat="http://127.0.0.1:1") as gateway:
        answer = await gateway.http.get("/api/v1/chat/x", headers=gateway.neighbours.bearer(USER))
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "ERR_UNAVAILABLE"
        assert int(answer.headers["retry-after"]) > 0


async def test_a_service_that_hangs_up_before_answering_is_503(database, tmp_path):
    async def hang_up(reader, _writer):
        await read_head(reader)

    async with raw_service(hang_up) as chat, gateway_with(database, tmp_path, chat=chat) as gateway:
        answer = await gateway.http.get("/api/v1/chat/x", headers=gateway.neighbours.bearer(USER))
        assert answer.status_code == 503


async def test_an_answer_that_breaks_off_is_cut_never_ended_as_if_complete(database, tmp_path):
    async def break_off(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await writer.drain()

    async with (
        raw_service(break_off) as chat,
        gateway_with(database, tmp_path, chat=chat) as gateway,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await gateway.http.get("/api/v1/chat/x", headers=gateway.neighbours.bearer(USER))


async def test_a_client_that_leaves_ends_the_services_work(database, tmp_path):
    asked, left = asyncio.Event(), asyncio.Event()

    async def work_until_left(reader, _writer):
        await read_head(reader)
        asked.set()
        await reader.read()
        left.set()

    async with (
        raw_service(work_until_left) as chat,
        gateway_with(database, tmp_path, chat=chat) as gateway,
    ):
        request = asyncio.create_task(
            gateway.http.get("/api/v1/chat/x", headers=gateway.neighbours.bearer(USER))
        )
        async with asyncio.timeout(5):
            await asked.wait()
            request.cancel()
            await left.wait()


async def test_connections_to_a_service_are_kept(database, tmp_path):
    connections = 0

    async def serve(reader, writer):
        nonlocal connections
        connections += 1
        while True:
            await read_head(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with raw_service(serve) as chat, gateway_with(database, tmp_path, chat=chat) as gateway:
        for _ in range(5):
            answer = await gateway.http.get(
                "/api/v1/chat/x", headers=gateway.neighbours.bearer(USER)
            )
            assert answer.status_code == 200
    assert connections == 1


async def test_a_service_that_closed_a_kept_connection_is_asked_on_a_new_one(database, tmp_path):
    async def serve_once(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with (
        raw_service(serve_once) as chat,
        gateway_with(database, tmp_path, chat=chat) as gateway,
    ):
        for _ in range(3):
            answer = await gateway.http.get(
                "/api/v1/chat/x", headers=gateway.neighbours.bearer(USER)
            )
            assert answer.status_code == 200
            await asyncio.sleep(0.05)


async def test_a_trailing_slash_is_the_services_affair(gateway):
    def redirect(_request):
        return Response(status_code=307, headers={"Location": "http://api.example.com/x"})

    answering(gateway, "GET /api/v1/insights/", redirect)
    answer = await gateway.http.get("/api/v1/insights/", headers=gateway.neighbours.bearer(USER))
    assert answer.status_code == 307
    assert answer.headers["location"] == "http://api.example.com/x"
    assert gateway.neighbours.requests[-1].headers["host"] == answer.request.url.netloc.decode()


async def test_requests_are_measured_by_prefix_not_by_address(gateway):
    gateway.neighbours.answers[f"GET {REPORT}"] = {}
    await gateway.http.get(REPORT, headers=gateway.neighbours.bearer(USER))
    metrics = (await gateway.http.get("/metrics")).text
    assert 'route="/api/v1/analytics"' in metrics
    assert REPORT not in metrics


@pytest.mark.parametrize("head", ["Connection: host\r\nHost: x\r\n", ""])
async def test_a_request_without_a_host_is_passed_on_with_one(gateway, head):
    gateway.neighbours.answers["GET /api/v1/onboarding/csv-template"] = {}
    address = gateway.http.base_url
    reader, writer = await asyncio.open_connection(address.host, address.port)
    version = "1.1" if head else "1.0"
    writer.write(f"GET /api/v1/onboarding/csv-template HTTP/{version}\r\n{head}\r\n".encode())
    status = await reader.readline()
    writer.close()
    assert b" 200 " in status


async def test_a_body_that_stops_coming_is_given_up(gateway, monkeypatch):
    monkeypatch.setattr("gateway.api.proxy.BODY_SILENCE_SECONDS", 0.2)
    address = gateway.http.base_url
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    async with asyncio.timeout(5):
        status = await reader.readline()
    writer.close()
    assert b" 408 " in status
