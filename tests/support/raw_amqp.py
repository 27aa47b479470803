"""Publishes to RabbitMQ what no well-behaved client would: the properties are bytes of ours."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pamqp import commands, constants, frame, header
from pamqp.base import Frame

FLAGS = {
    "content_type": 1 << 15,
    "headers": 1 << 13,
    "delivery_mode": 1 << 12,
    "priority": 1 << 11,
    "reply_to": 1 << 9,
    "expiration": 1 << 8,
    "message_id": 1 << 7,
    "timestamp": 1 << 6,
    "type": 1 << 5,
}
"""Each property's bit in a content header; the properties follow in this order."""


def short(text: bytes) -> bytes:
    """Return a short string."""
    return bytes([len(text)]) + text


def long(text: bytes) -> bytes:
    """Return a long string, a table's content or an array's, all of which begin with a length."""
    return struct.pack(">I", len(text)) + text


def table(**fields: bytes) -> bytes:
    """Return a table of fields that are each a type's letter and a value."""
    return long(b"".join(short(name.encode()) + field for name, field in fields.items()))


@dataclass
class RawChannel:
    """A confirming channel, without a client library behind it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def publish(
        self, exchange: str, routing_key: bytes, body: bytes, **properties: bytes
    ) -> None:
        """Return when the broker has confirmed; it closes the connection if it refuses."""
        names = short(exchange.encode()) + short(routing_key)
        method = struct.pack(">IH", commands.Basic.Publish.index, 0) + names + b"\0"
        flags = sum(FLAGS[name] for name in properties)
        content = b"".join(properties[name] for name in FLAGS if name in properties)
        self._send_raw(constants.FRAME_METHOD, method)
        self._send_raw(
            constants.FRAME_HEADER,
            struct.pack(">HHQH", commands.Basic.frame_id, 0, len(body), flags) + content,
        )
        self._send_raw(constants.FRAME_BODY, body)
        answer = await self._receive()
        assert isinstance(answer, commands.Basic.Ack), getattr(answer, "reply_text", answer)

    async def ask(self, method: Frame, channel: int = 1) -> Frame:
        """Return the broker's answer to a method."""
        self.writer.write(frame.marshal(method, channel))
        return await self._receive()

    def _send_raw(self, kind: int, payload: bytes) -> None:
        self.writer.write(struct.pack(">BHI", kind, 1, len(payload)) + payload + b"\xce")

    async def _receive(self) -> Frame:
        start = await self.reader.readexactly(constants.FRAME_HEADER_SIZE)
        size = struct.unpack(">I", start[3:])[0]
        _, _, found = frame.unmarshal(start + await self.reader.readexactly(size + 1))
        assert isinstance(found, Frame)
        return found


@asynccontextmanager
async def raw_channel(url: str) -> AsyncIterator[RawChannel]:
    """Lend a confirming channel at a broker."""
    address = urlsplit(url)
    assert address.hostname is not None
    streams = await asyncio.open_connection(address.hostname, address.port or 5672)
    channel = RawChannel(*streams)
    try:
        await _shake_hands(channel, address.username or "guest", address.password or "guest")
        await channel.ask(commands.Channel.Open())
        await channel.ask(commands.Confirm.Select())
        yield channel
    finally:
        channel.writer.close()


async def _shake_hands(channel: RawChannel, user: str, password: str) -> None:
    channel.writer.write(header.ProtocolHeader().marshal())
    await channel._receive()  # the only time that the broker begins
    credentials = f"\0{unquote(user)}\0{unquote(password)}"
    start = commands.Connection.StartOk({}, "PLAIN", credentials, "en_US")
    await channel.ask(start, channel=0)
    tune = commands.Connection.TuneOk(channel_max=10, frame_max=131_072, heartbeat=0)
    channel.writer.write(frame.marshal(tune, 0))
    await channel.ask(commands.Connection.Open(virtual_host="/"), channel=0)
