"""Server-sent events: where a user's portfolios stand, then what happens to them.

Every frame's id is the user's `seq` in the log, so that a client which names the last one it saw
goes on right after it, at any replica, without loss or repeat.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic_core import to_json

from common.clock import Clock
from common.errors import Unavailable
from common.identity import Caller, OwnedPortfolio
from common.refusals import may_refuse
from common.unit_of_work import UnitOfWork
from gateway.api.reader import LogReader
from gateway.api.streams import Stream, Streams
from gateway.domain.codes import Code
from gateway.domain.news import Logged
from gateway.repository import READ_AT_ONCE, Standing, Store
from gateway.schemas import FRAMES

log = structlog.get_logger()
router = APIRouter(tags=["events"])

RECONNECT_MILLISECONDS = 1_000
# FastAPI would run a generator for us (its wire format is used below), but its heartbeat is not a
# setting, and two tasks and two queues of its own per stream are memory for a thousand streams.
STREAMED: dict[str, Any] = {
    "response_class": StreamingResponse,
    "responses": {
        200: {
            "description": (
                "Server-sent events, without end. Each frame's `event` says what its `data`, one "
                "JSON object, is (`x-frames`); its `id`, sent back as `Last-Event-ID`, resumes the "
                "stream right after it. Comments show that the stream lives."
            ),
            "content": {
                "text/event-stream": {
                    "schema": {"type": "string"},
                    "x-frames": {
                        event: {"$ref": f"#/components/schemas/{model.__name__}"}
                        for event, model in FRAMES.items()
                    },
                }
            },
        }
    },
}
_DIGITS_OF_AN_ID = 18


@dataclass(frozen=True)
class EventFeed:
    """What the streams of this replica share."""

    unit_of_work: UnitOfWork
    streams: Streams
    reader: LogReader
    heartbeat: float
    """Seconds of silence after which a comment shows that the stream lives."""


def feed(request: Request) -> EventFeed:
    """Return the application's feed."""
    shared: EventFeed = request.app.state.feed
    return shared


Feed = Annotated[EventFeed, Depends(feed)]


@may_refuse(Code.ERR_TOO_MANY_STREAMS)
async def seat(caller: Caller, shared: Feed) -> AsyncIterator[Stream]:
    """Hold one of the caller's streams until the answer ends."""
    with shared.streams.open(caller) as stream:
        yield stream


Seat = Annotated[Stream, Depends(seat)]
LastEventId = Annotated[
    str | None, Header(description="The id of the last event seen; the stream goes on after it.")
]


@router.get(
    "/api/v1/portfolio/{portfolio_id}/events",
    summary="What happens to a portfolio, as it happens",
    **STREAMED,
)
async def portfolio_events(
    portfolio_id: OwnedPortfolio, stream: Seat, shared: Feed, last_event_id: LastEventId = None
) -> EventSourceResponse:
    """Stream what happens to a portfolio, beginning with a `snapshot` of where it stands."""
    return await _answer(shared, stream, portfolio_id, last_event_id)


@router.get("/api/v1/events", summary="What happens to all of them", **STREAMED)
async def all_events(
    stream: Seat, shared: Feed, last_event_id: LastEventId = None
) -> EventSourceResponse:
    """Stream what happens to all of the caller's portfolios, beginning with a `snapshot`."""
    return await _answer(shared, stream, None, last_event_id)


async def _answer(
    shared: EventFeed, stream: Stream, portfolio_id: UUID | None, last_event_id: str | None
) -> EventSourceResponse:
    # Read before the answer begins: trouble is still a 503, not a stream that breaks.
    opening, seq = await _opening(shared, stream, portfolio_id, last_event_id)
    frames = _frames(shared, stream, portfolio_id, opening, seq)
    return EventSourceResponse(
        frames, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    )


async def _opening(
    shared: EventFeed, stream: Stream, portfolio_id: UUID | None, last_event_id: str | None
) -> tuple[list[bytes], int]:
    user_id = stream.caller.user_id
    frames = [format_sse_event(retry=RECONNECT_MILLISECONDS, comment="open")]
    async with shared.unit_of_work.begin() as unit:
        events = Store(unit).log
        if last_event_id:
            seen = _seq(last_event_id)
            if seen is not None and await events.can_resume(user_id, seen):
                return frames, seen
            frames.append(_frame("reset", {"name": "reset", "last_event_id": last_event_id}))
        standing = await events.standing(user_id, portfolio_id)
    snapshot = _snapshot(standing, portfolio_id)
    frames.append(_frame("snapshot", snapshot, standing.seq))
    return frames, standing.seq


async def _frames(
    shared: EventFeed,
    stream: Stream,
    portfolio_id: UUID | None,
    opening: Sequence[bytes],
    seq: int,
) -> AsyncIterator[bytes]:
    clock = shared.unit_of_work.clock
    for frame in opening:
        yield frame
    while not stream.stopping:
        stream.look()
        if ending := _ending(shared, stream, clock):
            yield _frame(ending, {"name": ending})
            return
        news = await _news(shared, stream, seq)
        for item in news:
            seq = item.seq
            if item.portfolio_id in (None, portfolio_id) or portfolio_id is None:
                yield format_sse_event(event=item.name, data_str=item.shown_json, id=str(item.seq))
        if len(news) < READ_AT_ONCE:  # what has come since it looked has woken it
            left = stream.seconds_left(clock())
            if not await stream.woken(within=min(shared.heartbeat, max(left, 0.0))):
                yield format_sse_event(comment="heartbeat")


async def _news(shared: EventFeed, stream: Stream, seq: int) -> Sequence[Logged]:
    try:
        return await shared.reader.after((stream.caller.user_id, seq))
    except Unavailable as error:
        # The stream goes on when the log is back: hearing of it again wakes every stream.
        log.warning("stream_waits", reason=str(error))
        return ()


def _ending(shared: EventFeed, stream: Stream, clock: Clock) -> str | None:
    if shared.streams.is_revoked(stream):
        return "revoked"
    if stream.seconds_left(clock()) <= 0:
        return "expired"
    return None


def _snapshot(standing: Standing, portfolio_id: UUID | None) -> dict[str, Any]:
    portfolios: dict[UUID, list[dict[str, Any]]] = {}
    if portfolio_id is not None:
        portfolios[portfolio_id] = []
    for event in standing.events:
        if event.portfolio_id is not None:
            portfolios.setdefault(event.portfolio_id, []).append(event.shown())
    return {
        "name": "snapshot",
        "portfolios": [
            {"portfolio_id": known, "events": events} for known, events in portfolios.items()
        ],
    }


def _seq(last_event_id: str) -> int | None:
    given = last_event_id.strip()
    if not given.isascii() or not given.isdigit() or len(given) > _DIGITS_OF_AN_ID:
        return None
    return int(given)


def _frame(name: str, data: dict[str, Any], seq: int | None = None) -> bytes:
    return format_sse_event(
        event=name,
        data_str=to_json(data).decode(),
        id=None if seq is None else str(seq),
    )
