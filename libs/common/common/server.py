"""An HTTP server among others in one loop, which ends without losing a request."""

import asyncio
import contextlib
import math
import select
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from common.stopping import Stopping

LINGER_SECONDS = 0.5
"""How long a server that ends still takes requests on the connections it has."""

TICK_SECONDS = 0.02

Close = Callable[[], Awaitable[None]]
"""Ends what was opened, in order, and returns when it has ended."""


async def serve(app: ASGIApp, listener: socket.socket, stopping: Stopping, *, name: str) -> Close:
    """Serve an application and return what ends that, within the time that `stopping` leaves."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            # Whose address counts is the gateway's decision, not any header's.
            proxy_headers=False,
            timeout_keep_alive=30,
        ),
        stopping,
    )
    task = asyncio.create_task(server.serve(sockets=[listener]), name=f"http-{name}")
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError(f"the HTTP server of {name} ended at once")
        await asyncio.sleep(0.005)

    async def close() -> None:
        server.should_exit = True
        await task

    return close


class _Server(uvicorn.Server):
    """A server among others in one loop: signals are the host's affair."""

    def __init__(self, config: uvicorn.Config, stopping: Stopping) -> None:
        super().__init__(config)
        self._stopping = stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, answer what comes on the connections there are, then end these too.

        Were a kept connection closed at once, a request just under way on it would be lost. So each
        is told with its next answer to come back by another; who says nothing is hung up on.
        """
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        self.server_state.default_headers.append((b"connection", b"close"))
        began = time.monotonic()
        kept = self.server_state.connections
        while kept and self._stopping.seconds_left():
            await asyncio.sleep(TICK_SECONDS)
            if time.monotonic() - began < LINGER_SECONDS:
                continue
            asking = [_hang_up(connection) for connection in kept.copy()]
            if not any(asking):
                break
        self.config.timeout_graceful_shutdown = math.ceil(self._stopping.seconds_left())
        await super().shutdown()


def _hang_up(connection: Any) -> bool:
    """End a connection once nothing is under way on it; True when there is something to read.

    Under load a request may lie in the socket for a while before the event loop comes to it.
    """
    transport: asyncio.Transport = connection.transport
    if transport.is_closing():
        return False
    waiting = select.poll()
    waiting.register(transport.get_extra_info("socket"), select.POLLIN)
    if transport.is_reading() and waiting.poll(0):
        return True
    connection.shutdown()
    return False
