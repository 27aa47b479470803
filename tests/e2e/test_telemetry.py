"""One import as an operator sees it: one trace, log lines that name it, metrics that moved."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from common.metrics import Metric
from common.settings import SERVICES
from deploy.cli.client import Client
from deploy.targets import TARGETS
from risk_engine.domain import ENGINES
from tests.e2e.conftest import RUNTIMES
from tests.e2e.test_journey import SAMPLE, newcomer, told_until
from tests.support.brokers import forget_namespace
from tests.support.collector import Collector, Received, collecting, tree
from tests.support.databases import ROLE_SECRET, fresh_database
from tests.support.system import System, eventually, free_port

CREATED, READY = "portfolio.created.v1", "prices.ready.v1"
CALCULATED, COMPLETED = "risk.calculated.v1", "run.completed.v1"
ASKED = ("gateway", "POST /api/v1/onboarding/create-portfolio")
UPLOAD = ("onboarding", "POST /api/v1/onboarding/create-portfolio")
PARTS = {
    # (service, span): the (service, span) that it is a part of
    ("gateway", "POST onboarding"): ASKED,
    UPLOAD: ("gateway", "POST onboarding"),
    ("onboarding", f"publish {CREATED}"): UPLOAD,
    **{
        (service, f"handle {CREATED}"): ("onboarding", f"publish {CREATED}")
        for service in ("auth", "marketdata", "risk-engine", "scheduler", "gateway")
    },
    ("marketdata", "work prepare"): ("marketdata", f"handle {CREATED}"),
    ("marketdata", "bars of simulated"): ("marketdata", "work prepare"),
    ("marketdata", f"publish {READY}"): ("marketdata", "work prepare"),
    ("risk-engine", f"handle {READY}"): ("marketdata", f"publish {READY}"),
    ("risk-engine", "work calculate"): ("risk-engine", f"handle {READY}"),
    ("risk-engine", "fetch panel"): ("risk-engine", "work calculate"),
    ("risk-engine", "GET marketdata"): ("risk-engine", "fetch panel"),
    ("marketdata", "GET /internal/panel/{as_of}/{version}"): ("risk-engine", "GET marketdata"),
    ("risk-engine", "calculate"): ("risk-engine", "work calculate"),
    ("risk-engine", "valuation"): ("risk-engine", "calculate"),
    ("risk-engine", "store results"): ("risk-engine", "work calculate"),
    ("risk-engine", f"publish {CALCULATED}"): ("risk-engine", "store results"),
    **{
        (service, f"handle {CALCULATED}"): ("risk-engine", f"publish {CALCULATED}")
        for service in ("scheduler", "chat", "gateway")
    },
    ("scheduler", f"publish {COMPLETED}"): ("scheduler", f"handle {CALCULATED}"),
    ("gateway", f"handle {COMPLETED}"): ("scheduler", f"publish {COMPLETED}"),
}


@dataclass
class Import:
    """A system after one import."""

    system: System
    collector: Collector
    trace_id: str
    run_id: str
    user_id: str


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=RUNTIMES)
async def imported(request, tmp_path_factory) -> AsyncIterator[Import]:
    """A system that exports its traces, after one import."""
    home = tmp_path_factory.mktemp("home")
    with collecting() as collector:
        extra = {
            "LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        if request.param == "embedded":
            async with after_import(System(home, extra=extra), collector) as one:
                yield one
            return
        broker = request.getfixturevalue("rabbit_url")
        async with fresh_database(request.getfixturevalue("postgres_admin_url")) as fresh:
            deployed = System(
                home, fresh.url, broker, fresh.namespace, extra=extra, role_secret=ROLE_SECRET
            )
            async with after_import(deployed, collector) as one:
                yield one
            await forget_namespace(broker, fresh.namespace)


@asynccontextmanager
async def after_import(system: System, collector: Collector) -> AsyncIterator[Import]:
    await asyncio.to_thread(system.start)
    async with Client(system.address) as client:
        await newcomer(client)
        created = await client.create_portfolio("Sample", "500000.00", ("a.csv", SAMPLE))
        told = await told_until(client, created["portfolio_id"])
        me = (await client._http.get("/auth/me")).json()
    yield Import(
        system,
        collector,
        trace_id=told[-1].data["trace_id"],
        run_id=created["run_id"],
        user_id=str(me["id"]),
    )
    assert system.stop() == 0, system.process.tail()


def named(span: Received) -> tuple[str, str]:
    return span.service, span.name


@pytest.mark.asyncio(loop_scope="module")
async def test_an_import_is_one_trace_from_the_gateways_request_to_the_end_of_its_run(imported):
    async def complete() -> bool:
        found = {named(span) for span in imported.collector.trace(imported.trace_id)}
        return found >= {("gateway", f"handle {COMPLETED}"), ASKED}

    await eventually(complete)
    spans = imported.collector.trace(imported.trace_id)
    print(f"\n{tree(spans)}")

    by_id = {span.span_id: span for span in spans}
    roots = [span for span in spans if span.parent_id not in by_id]
    assert [named(root) for root in roots] == [ASKED]
    assert not roots[0].parent_id
    parts = {(named(span), named(by_id[span.parent_id])) for span in spans if span.parent_id}
    assert set(PARTS.items()) <= parts
    assert not [span for span in spans if span.failed]
    assert {span.service for span in spans} == set(SERVICES)
    # Nothing begins before what it is a part of: one machine, one clock.
    assert all(span.began >= by_id[span.parent_id].began for span in spans if span.parent_id)
    of_run = {
        span.attributes["sigmasight.run_id"]
        for span in spans
        if "sigmasight.run_id" in span.attributes
    }
    assert of_run == {imported.run_id}


@pytest.mark.asyncio(loop_scope="module")
async def test_every_log_line_of_the_import_carries_its_trace(imported):
    lines: list[dict[str, Any]] = [
        json.loads(line) for line in imported.system.process.log.read_text().splitlines()
    ]
    of_run = [line for line in lines if line.get("run_id") == imported.run_id]
    of_trace = [line for line in lines if line.get("trace_id") == imported.trace_id]

    assert {line["trace_id"] for line in of_run} == {imported.trace_id}
    assert {line["user_id"] for line in of_run} == {imported.user_id}
    events = {line["event"] for line in of_run}
    assert {"request", "bars_loaded", "panel_fetched", "chunk_calculated"} <= events
    requests = [line for line in of_trace if line["event"] == "request"]
    assert {line["service"] for line in requests} >= {"gateway", "onboarding", "marketdata"}
    assert all(line["request_id"] for line in requests)
    upload = [line for line in requests if line["path"].endswith("/create-portfolio")]
    assert len({line["request_id"] for line in upload}) == 1
    assert len(upload) == 2
    # Whatever was said while something was done for the import, was said under its trace.
    said = {"bars_loaded", "panel_fetched", "chunk_calculated", "request"}
    assert not [line for line in lines if line["event"] in said and not line.get("trace_id")]


@pytest.mark.asyncio(loop_scope="module")
async def test_every_service_exposes_the_declared_metrics_and_no_other(imported):
    groups = json.loads((imported.system.home / TARGETS).read_text())
    addresses = {group["labels"]["service"]: group["targets"][0] for group in groups}
    assert set(addresses) == set(SERVICES)
    await asyncio.sleep(5)  # the next look at the gauges

    values: dict[tuple[str, str], float] = {}
    async with httpx.AsyncClient(trust_env=False) as http:
        for service, address in addresses.items():
            text = (await http.get(f"http://{address}/metrics")).text
            declared = {m for m in Metric if m.spec.owner in {None, service}}
            exposed = {family.name: family for family in text_string_to_metric_families(text)}
            assert set(exposed) == {m.exported.removesuffix("_total") for m in declared}
            for metric in declared:
                for sample in exposed[metric.exported.removesuffix("_total")].samples:
                    assert sample.labels["service"] == service
                    assert set(sample.labels) - {"le"} == {"service", *metric.spec.labels}
                    key = service, sample.name.removeprefix("sigmasight_")
                    values[key] = values.get(key, 0.0) + sample.value

    # Each engine, and the layout that all share.
    assert values["risk-engine", "calculation_seconds_count"] == len(ENGINES) + 1
    assert values["risk-engine", "chunk_books_sum"] == 1
    assert values["risk-engine", "conclusions_total"] == 1
    assert values["marketdata", "provider_symbols_total"] > 10
    assert values["scheduler", "critical_seconds_count"] >= 3
    assert values["onboarding", "relay_seconds_count"] >= 1
    assert values["gateway", "http_request_seconds_count"] >= 4
    assert values["gateway", "sse_streams"] == 0
    for service in SERVICES:
        assert values[service, "ready"] == len(
            {"database", "bus"}
            | ({"consumer"} if service != "onboarding" else set())
            | ({"signals", "reader", "retention"} if service == "gateway" else set())
            | ({"sweeper"} if service == "scheduler" else set())
            | ({"work"} if service == "risk-engine" else set())
        )
        assert values[service, "outbox_rows"] == values[service, "work_rows"] == 0
        assert values[service, "event_loop_lag_seconds_count"] > 10
    assert values["risk-engine", "queue_depth"] == values["risk-engine", "queue_age_seconds"] == 0


async def test_nobody_at_the_endpoint_neither_slows_nor_stops_anything(tmp_path):
    nowhere = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    system = System(tmp_path / "home", extra={**nowhere, "OTEL_BSP_SCHEDULE_DELAY": "100"})
    await asyncio.to_thread(system.start)
    async with Client(system.address) as client:
        await newcomer(client)
        created = await client.create_portfolio("Sample", "500000.00", ("a.csv", SAMPLE))
        await told_until(client, created["portfolio_id"])
        began = time.monotonic()
        for _ in range(20):
            await client.report(created["portfolio_id"])
        assert (time.monotonic() - began) / 20 < 1
    began = time.monotonic()
    assert await asyncio.to_thread(system.stop) == 0
    assert time.monotonic() - began < 25
    said = system.process.log.read_text()
    assert said.count("traces_not_taken") == 1
    assert "Traceback" not in said
