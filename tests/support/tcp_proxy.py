"""A TCP proxy whose lines can be cut, go silent or be forgotten under those who talk through it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class TcpProxy:
    """Forwards to one address while `up`; `silent` keeps lines open and lets nothing through."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._lines: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.up = True
        self.port = 0

    @classmethod
    def to(cls, url: str) -> "TcpProxy":
        """Return a proxy to the server of an address."""
        target = urlsplit(url)
        return cls(target.hostname or "", target.port or 0)

    def cut(self) -> None:
        """End every line and refuse new ones."""
        self.up = False
        for line in self._lines:
            line.cancel()

    def mend(self) -> None:
        """Forward again."""
        self.up = True
        self._flowing.set()

    def silence(self) -> None:
        """Let nothing through from now on, as a broken network does."""
        self._flowing.clear()

    def forget(self) -> None:
        """Never let anything through again on the lines there are; new ones work.

        So does a router that has lost its table, or a server whose machine was replaced.
        """
        self._flowing.clear()
        self._flowing = asyncio.Event()
        self._flowing.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["TcpProxy"]:
        """Accept lines until the end of the block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.cut()
            server.close()
            await asyncio.gather(*self._lines, return_exceptions=True)
            await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.create_task(self._forward(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends, flowing = [writer], self._flowing
        try:
            if not self.up:
                return
            away_reader, away_writer = await asyncio.open_connection(*self._target)
            ends.append(away_writer)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, away_writer, flowing))
                both.create_task(self._pump(away_reader, writer, flowing))
        except* OSError:
            pass  # either end may go at any time
        finally:
            for end in ends:
                end.transport.abort()
                with suppress(OSError):
                    await end.wait_closed()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, flowing: asyncio.Event
    ) -> None:
        while chunk := await source.read(65_536):
            await flowing.wait()
            sink.write(chunk)
            await sink.drain()
        raise ConnectionResetError


def at_port(url: str, port: int) -> str:
    """Return an address with another port: a server's as seen through a proxy."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")))
