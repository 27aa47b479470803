"""What the proxy says when a service says nothing."""

import asyncio
from typing import NoReturn

import pytest

from common.errors import ServiceError
from gateway.api.limits import Limiter
from gateway.api.proxy import Limits, Proxy
from gateway.clients.upstream import Outgoing, Silent, Upstream
from gateway.domain.codes import Code


class SilentService(Upstream):
    """Takes every request and never answers."""

    def exchange(self, outgoing: Outgoing) -> NoReturn:
        raise Silent(f"{outgoing.timeout} s")


class Unlimited(Limiter):
    def __init__(self):
        pass


async def test_a_service_that_does_not_answer_in_time_is_504():
    proxy = Proxy({"onboarding": SilentService("http://127.0.0.1:1")}, Unlimited(), Limits(1, 1))
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "raw_path": b"/api/v1/onboarding/csv-template",
        "path": "/api/v1/onboarding/csv-template",
        "query_string": b"",
        "headers": [],
        "client": ("127.0.0.1", 1),
        "state": {"request_id": "x"},
    }

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    async def send(_message):
        raise AssertionError("nothing is to be sent")

    with pytest.raises(ServiceError) as refusal:
        await proxy(scope, receive, send)
    assert refusal.value.code is Code.ERR_TIMEOUT
    assert refusal.value.status == 504
