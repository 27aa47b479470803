"""Spans: who is whose part, on the wire as a collector gets them."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
import structlog

from common.client import ServiceClient
from common.clock import seconds_between
from common.errors import Unavailable
from common.events import Envelope
from common.telemetry import (
    Telemetry,
    Tracer,
    about,
    current_traceparent,
    handling,
    new_traceparent,
    past_step,
    publishing,
    step,
    trace_id,
)
from common.telemetry.export import Exporter
from common.telemetry.trace_context import parse
from tests.support.collector import Collector, collecting

RUN = UUID(int=5)


@pytest.fixture
def collector(monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with collecting() as running:
        yield running


@pytest.fixture
def exporter(collector):
    running = Exporter(collector.url)
    yield running
    running.close()


def sent(collector: Collector, exporter: Exporter):
    """Return the spans by name, once all have arrived."""
    exporter.close()
    return {span.name: span for span in collector.spans}


def span_id(traceparent: str | None) -> str:
    parts = parse(traceparent)
    assert parts, traceparent
    return parts[1]


def message(**changes) -> Envelope:
    return Envelope(name="portfolio.created", payload={}, run_id=RUN, **changes)


def test_a_step_is_a_part_of_what_surrounds_it_and_of_the_same_service(collector, exporter):
    tracer = Tracer(exporter.recorder("auth"))
    outside = new_traceparent()
    with tracer.span("outer", outside, "server"), step("inner", "client", {"n": 3}) as inner:
        told = inner.traceparent
    spans = sent(collector, exporter)
    outer, inner = spans["outer"], spans["inner"]
    assert outer.trace_id == inner.trace_id == trace_id(outside)
    assert outer.parent_id == span_id(outside)
    assert inner.parent_id == outer.span_id
    assert span_id(told) == inner.span_id
    assert (outer.kind, inner.kind) == ("server", "client")
    assert (outer.service, inner.service) == ("auth", "auth")
    assert inner.attributes == {"n": 3}


def test_services_of_one_process_send_under_their_own_names(collector, exporter):
    for service in ("auth", "chat"):
        with Tracer(exporter.recorder(service)).span(f"in {service}", None):
            pass
    spans = sent(collector, exporter)
    assert spans["in auth"].service == "auth"
    assert spans["in chat"].service == "chat"
    assert spans["in auth"].trace_id != spans["in chat"].trace_id


def test_what_raises_is_marked_and_what_is_cancelled_has_not_failed(collector, exporter):
    tracer = Tracer(exporter.recorder("auth"))
    with pytest.raises(ValueError, match="broken"), tracer.span("broken", None):
        raise ValueError("broken")
    with pytest.raises(asyncio.CancelledError), tracer.span("cancelled", None):
        raise asyncio.CancelledError
    spans = sent(collector, exporter)
    assert spans["broken"].failed
    assert not spans["cancelled"].failed
    assert spans["cancelled"].attributes == {"sigmasight.cancelled": True}


def test_a_message_leaves_with_its_publication_as_what_it_comes_from(collector, exporter):
    tracer = Tracer(exporter.recorder("onboarding"))
    request = new_traceparent()
    two = [message(traceparent=request), message(traceparent=None)]
    with publishing(tracer, two) as outgoing:
        assert [one.id for one in outgoing] == [one.id for one in two]
    exporter.close()
    first, second = collector.spans
    assert first.kind == "producer"
    assert (first.trace_id, first.parent_id) == (trace_id(request), span_id(request))
    assert span_id(outgoing[0].traceparent) == first.span_id
    assert span_id(outgoing[1].traceparent) == second.span_id
    assert first.attributes["sigmasight.run_id"] == str(RUN)


def test_a_publication_that_was_not_confirmed_has_failed(collector, exporter):
    tracer = Tracer(exporter.recorder("onboarding"))
    with pytest.raises(Unavailable), publishing(tracer, [message()]):
        raise Unavailable("the bus is down")
    assert sent(collector, exporter)["publish portfolio.created.v1"].failed


def test_a_part_that_was_done_elsewhere_has_the_times_it_had_there(collector, exporter):
    with Tracer(exporter.recorder("risk-engine")).span("calculate", None):
        ended = time.time_ns()
        past_step("valuation", ended - 5_000_000, ended)
    spans = sent(collector, exporter)
    assert spans["valuation"].milliseconds == 5
    assert spans["valuation"].parent_id == spans["calculate"].span_id


def test_what_a_machine_asks_every_few_seconds_is_not_recorded_nor_is_what_is_done_for_it(
    collector, exporter
):
    tracer = Tracer(exporter.recorder("auth"))
    with tracer.span("GET", None, recorded=False) as probe, step("inside"):
        assert parse(probe.traceparent)
    exporter.close()
    assert collector.spans == []


def test_a_trace_that_its_caller_does_not_sample_is_carried_on_and_not_sent(collector, exporter):
    unsampled = f"{new_traceparent()[:-2]}00"
    with Tracer(exporter.recorder("auth")).span("x", unsampled) as span:
        assert trace_id(span.traceparent) == trace_id(unsampled)
        assert span.traceparent.endswith("00")
        assert span.traceparent != unsampled
    exporter.close()
    assert collector.spans == []


# --- without an exporter


def test_trace_context_is_minted_and_carried_when_nothing_is_exported():
    tracer, outside = Tracer(), new_traceparent()
    assert current_traceparent() is None
    with tracer.span("outer", outside) as outer, step("inner") as inner:
        assert trace_id(outer.traceparent) == trace_id(outside)
        assert outer.traceparent != outside
        assert inner is outer
        assert current_traceparent() == outer.traceparent
    with tracer.span("root", None) as root:
        assert parse(root.traceparent)
    with publishing(tracer, [message(traceparent=outside)]) as outgoing:
        assert outgoing[0].traceparent == outside
    with step("outside any trace") as nothing:
        nothing.note({"n": 1})
        assert current_traceparent() is None


async def test_another_service_is_told_the_trace(collector, exporter):
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(503 if len(seen) == 2 else 200)

    transport = httpx.MockTransport(answer)
    client = ServiceClient("http://127.0.0.1:1", "token", transport=transport, peer="marketdata")
    with Tracer(exporter.recorder("risk-engine")).span("work calculate", None):
        await client.get("/internal/panel")
        with pytest.raises(Unavailable):
            await client.get("/internal/panel")
    await client.get("/outside-any-trace")
    await client.close()
    exporter.close()
    good, bad, work = collector.spans
    assert good.name == "GET marketdata"
    assert good.attributes["http.response.status_code"] == 200
    assert (good.failed, bad.failed) == (False, True)
    assert good.parent_id == work.span_id
    assert span_id(seen[0].headers["traceparent"]) == good.span_id
    assert "traceparent" not in seen[2].headers


# --- log lines and measures


def test_log_lines_carry_the_ids_that_are_known():
    with Tracer().span("x", None, run_id=RUN, request_id=None) as span:
        about(user_id=UUID(int=7))
        bound = structlog.contextvars.get_contextvars()
        assert bound == {
            "trace_id": trace_id(span.traceparent),
            "run_id": str(RUN),
            "user_id": str(UUID(int=7)),
        }
        structlog.contextvars.unbind_contextvars("user_id")
    assert structlog.contextvars.get_contextvars() == {}


def value(telemetry: Telemetry, line: str) -> float:
    for found in telemetry.metrics.exposition().decode().splitlines():
        if found.startswith(f"sigmasight_{line} "):
            return float(found.split()[-1])
    return 0.0


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (Unavailable("away"), "unavailable"),
        (KeyError("bug"), "failed"),
        (asyncio.CancelledError(), "handed_back"),
    ],
)
def test_a_handling_that_ends_by_an_error_is_counted_as_what_it_was(raised, outcome):
    telemetry = Telemetry.of("auth")
    envelope = message(id=uuid4())
    with (
        pytest.raises(type(raised)),
        handling(telemetry, lambda: datetime.now(UTC), "auth", envelope),
    ):
        raise raised
    counted = 'handler_seconds_count{message="portfolio.created.v1",outcome="%s",service="auth"}'
    assert value(telemetry, counted % outcome) == 1
    assert value(telemetry, "critical_seconds_count") == 0


def test_critical_time_is_from_the_event_to_the_end_of_its_handling_and_repeats_have_none():
    telemetry, now = Telemetry.of("auth"), datetime(2026, 1, 5, tzinfo=UTC)
    envelope = message(occurred_at=now - timedelta(seconds=20))
    for outcome in ("done", "repeat"):
        with handling(telemetry, lambda: now, "auth", envelope) as note:
            note(outcome)
    labels = '{effect="portfolio.created.v1",service="auth"}'
    assert value(telemetry, f"critical_seconds_count{labels}") == 1
    assert value(telemetry, f"critical_seconds_sum{labels}") == 20


def test_a_time_without_a_zone_is_utc_and_clocks_that_disagree_make_no_negative_time():
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert seconds_between(datetime(2026, 1, 5, 11, 59), now) == 60  # noqa: DTZ001
    assert seconds_between(now + timedelta(seconds=2), now) == 0
