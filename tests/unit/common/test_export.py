"""The way to the collector: one that is away, slow or gone costs traces and nothing else."""

import logging
import time

import pytest

from common.telemetry import Tracer, step
from common.telemetry.export import FLUSH_SECONDS, Exporter
from tests.support.collector import collecting
from tests.support.system import free_port


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")


def spans(exporter: Exporter, count: int) -> float:
    """Make spans and return the seconds that the slowest one took."""
    tracer, slowest = Tracer(exporter.recorder("auth")), 0.0
    for _ in range(count):
        began = time.perf_counter()
        with tracer.span("outer", None), step("inner"):
            pass
        slowest = max(slowest, time.perf_counter() - began)
    return slowest


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]


def test_nobody_at_the_endpoint_slows_nothing_is_said_once_and_ends_in_time(caplog):
    exporter = Exporter(f"http://127.0.0.1:{free_port()}")
    with caplog.at_level(logging.INFO):
        # More than the queue holds (2,048): the oldest are dropped.
        # One that waited for an attempt to send would take seconds.
        assert spans(exporter, 2_000) < 2
        began = time.monotonic()
        exporter.close()
        assert time.monotonic() - began < FLUSH_SECONDS + 1
    assert said(caplog).count("traces_not_taken") <= 1
    assert [record for record in caplog.records if "opentelemetry" in record.name] == []


def test_a_collector_that_never_answers_holds_up_the_end_for_a_few_seconds_at_most():
    with collecting() as collector:
        collector.silent.set()
        exporter = Exporter(collector.url)
        spans(exporter, 500)
        began = time.monotonic()
        exporter.close()
        assert time.monotonic() - began < FLUSH_SECONDS + 1


def test_what_is_left_at_the_end_is_sent(monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    with collecting() as collector:
        exporter = Exporter(f"{collector.url}/")
        spans(exporter, 300)
        exporter.close()
        assert len(collector.spans) == 600


def test_a_collector_that_went_and_came_back_is_told_of_once_each(caplog):
    with caplog.at_level(logging.INFO), collecting() as collector:
        exporter = Exporter(collector.url)
        for status in (400, 200):
            collector.status = status
            spans(exporter, 200)
            seen = collector.requests
            while collector.requests < seen + 1:
                spans(exporter, 1)
                time.sleep(0.01)
        exporter.close()
    assert said(caplog) == ["traces_not_taken", "traces_taken_again"]
