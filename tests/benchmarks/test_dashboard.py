"""The dashboard, drawn from a real run: a host under load, a Prometheus beside it.

`PICTURE=docs/images/dashboard.png make bench ARGS="-k dashboard"` renews the picture of the guide.
"""

import asyncio
import os
import random
import shutil
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from common.events import Envelope
from common.events.scheduler import RunJob
from deploy.cli.client import Client
from tests.benchmarks.draw_dashboard import Window, draw
from tests.benchmarks.people import INVITE
from tests.support.prometheus import prometheus
from tests.support.system import ROOT, System

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SAMPLE = (ROOT / "deploy/embedded/sample_portfolio.csv").read_bytes()
SECONDS = 240
USERS = 3
QUIET = {"Retries per second"}
"""Panels that may have nothing to show: a run in which nothing is away retries nothing."""


async def live(system: System, until: float) -> None:
    """Be one user after another: import, watch, read."""
    while time.monotonic() < until:
        async with Client(system.address) as client:
            email = f"{uuid4().hex}@example.com"
            await client.register(email, "Secret-123", "Somebody", INVITE)
            await client.login(email, "Secret-123")
            rows = f"\nX{uuid4().hex[:4].upper()},5,10.00,2024-01-16".encode()
            created = await client.create_portfolio(
                "Sample", "500000.00", ("sample.csv", SAMPLE.rstrip() + rows)
            )
            portfolio_id = str(created["portfolio_id"])
            async for happening in client.happenings(portfolio_id):
                if any(event.name == "run.completed" for event in happening.told()):
                    break
            for _ in range(random.randint(2, 12)):
                await client.report(portfolio_id)
                await asyncio.sleep(random.random())


async def disturb(system: System, until: float) -> None:
    """Recalculate everybody now and then, and let poison come by."""
    bus = system.bus()
    while time.monotonic() < until:
        await asyncio.sleep(20)
        nightly = RunJob(job="nightly", requested_by="bench", force=True)
        await bus.publish([Envelope.of(nightly, producer="bench")])
        poison = Envelope(name="portfolio.created", payload={"book": {"portfolio_id": "nonsense"}})
        if until - time.monotonic() < SECONDS / 2:
            await bus.publish([poison])
    await bus.close()


async def test_the_dashboard_shows_a_system_under_load(tmp_path: Path):
    if shutil.which("prometheus") is None:
        pytest.skip("Prometheus is not installed (Debian: apt install prometheus)")
    picture = ROOT / os.environ.get("PICTURE", str(tmp_path / "dashboard.png"))
    system = System(tmp_path / "home")
    await asyncio.to_thread(system.start)
    with prometheus(system.home) as address:
        began = time.time()
        until = time.monotonic() + SECONDS
        await asyncio.gather(*(live(system, until) for _ in range(USERS)), disturb(system, until))
        await asyncio.sleep(12)
        empty = draw(address, Window(began, time.time(), "30s"), picture)
        async with httpx.AsyncClient(base_url=address, trust_env=False) as http:
            alerts = (await http.get("/api/v1/alerts")).json()["data"]["alerts"]
            up = (await http.get("/api/v1/query", params={"query": "sum(up)"})).json()
    assert system.stop() == 0, system.process.tail()
    print(f"\n{picture}: {picture.stat().st_size / 1024:.0f} KiB; nothing to show: {empty}")
    print("alerts:", sorted({(a["labels"]["alertname"], a["state"]) for a in alerts}))
    assert up["data"]["result"][0]["value"][1] == "7"
    assert set(empty) <= QUIET
    assert "DeadLetters" in {alert["labels"]["alertname"] for alert in alerts}
