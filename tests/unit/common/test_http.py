"""What surrounds every request, whatever the application inside does."""

import pytest
from starlette.types import Message, Receive, Scope, Send

from common.http import RequestContext
from common.telemetry import Telemetry

SCOPE: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}


async def nothing() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_an_answer_that_has_begun_as_a_500_is_cut_and_not_begun_again():
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        raise RuntimeError("in mid-body")

    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    context = RequestContext(broken, "chat", Telemetry.of("chat"))
    with pytest.raises(RuntimeError):
        await context(dict(SCOPE), nothing, send)
    assert sent == ["http.response.start"]


async def test_an_error_before_the_answer_is_a_500_with_the_request_id():
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("at once")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestContext(broken, "chat", Telemetry.of("chat"))(dict(SCOPE), nothing, send)
    assert sent[0]["status"] == 500
    assert b"x-request-id" in dict(sent[0]["headers"])
