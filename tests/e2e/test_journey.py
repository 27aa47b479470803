"""From a CSV to a risk report through the public interface: one file, on every runtime."""

import asyncio
import json
import re
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from httpx_sse import aconnect_sse

from common.events import COMMANDS, EVENTS, Envelope
from common.events.scheduler import RunJob
from deploy.cli.client import Client, Happening, Refused
from tests.support.invariants import at_rest
from tests.support.spy import Spy
from tests.support.system import ROOT, System, clean_environment, eventually

pytestmark = pytest.mark.usefixtures("spy")  # whatever these tests make the system say is judged

SAMPLE = (ROOT / "deploy/embedded/sample_portfolio.csv").read_bytes()
HEADER = "Symbol,Quantity,Entry Price Per Share,Entry Date"
INVITE = "PRESCOTT-LINNAEAN-COWPERTHWAITE"
PASSWORD = "Secret-123"
HEARD = {
    "user.registered.v1",
    "session.revoked.v1",
    "portfolio.created.v1",
    "portfolio.changed.v1",
    "securities.enriched.v1",
    "prices.ready.v1",
    "prices.incomplete.v1",
    "calculation.progressed.v1",
    "risk.calculated.v1",
    "run.requested.v1",
    "run.completed.v1",
    "scheduler.run_job.v1",
}
NOT_SAID_YET = {
    "portfolio.deleted.v1",  # nothing deletes a portfolio over HTTP so far
    "calculation.failed.v1",  # needs a fault
    "insight.generated.v1",  # chat is not built
}


def csv(*rows: str) -> tuple[str, bytes]:
    return "book.csv", "\n".join([HEADER, *rows]).encode()


async def newcomer(client: Client) -> str:
    email = f"{uuid4().hex}@example.com"
    await client.register(email, PASSWORD, "New Comer", INVITE)
    await client.login(email, PASSWORD)
    return email


ENDED = frozenset({"risk.calculated", "run.completed"})
"""What both have been told when a run is over for its owner: the bus promises them no order."""


async def told_until(
    client: Client, portfolio_id: str, wanted: frozenset[str] = ENDED
) -> list[Happening]:
    """Return a portfolio's happenings until all these names came, a snapshot's as they were."""
    told: list[Happening] = []
    async with asyncio.timeout(60):
        async for happening in client.happenings(portfolio_id):
            told += happening.told()
            if wanted <= {event.name for event in told}:
                return told
    raise AssertionError(f"{set(wanted)} never came")


async def uploaded(client: Client, content: tuple[str, bytes], equity: str = "100000.00") -> str:
    created = await client.create_portfolio("Book", equity, content)
    portfolio_id = str(created["portfolio_id"])
    await told_until(client, portfolio_id)
    return portfolio_id


async def test_an_upload_becomes_a_report_and_every_step_is_told_in_one_trace(system: System):
    async with Client(system.address) as client:
        await newcomer(client)
        created = await client.create_portfolio(
            "Sample", "500000.00", ("sample_portfolio.csv", SAMPLE)
        )
        steps = {"portfolio.created", "prices.ready", "risk.calculated", "run.completed"}
        told = await told_until(client, created["portfolio_id"], frozenset(steps))
        report = await client.report(created["portfolio_id"])

    names = [happening.name for happening in told]
    assert sorted(name for name in names if name in steps) == sorted(steps)
    assert {happening.data["run_id"] for happening in told} == {created["run_id"]}
    assert len({happening.data["trace_id"] for happening in told}) == 1
    assert all("positions" not in json.dumps(happening.data.get("book", {})) for happening in told)

    valuation = report["engines"]["valuation"]
    totals = valuation["totals"]
    assert report["available"]
    assert report["provider"] == "simulated"
    assert totals["net_asset_value"] == 500000.00  # on the session of the upload, to the cent
    open_values = [
        position["market_value"]
        for position in valuation["positions"]
        if position["market_value"] is not None
    ]
    assert sum(open_values) == pytest.approx(totals["net_market_value"], abs=0.05)
    assert totals["cash"] + totals["net_market_value"] + totals["carried_value"] == pytest.approx(
        totals["net_asset_value"], abs=0.02
    )
    tesla = next(each for each in valuation["positions"] if each["symbol"] == "TSLA")
    assert tesla["realized_pnl"] == 50 * (215.00 - 185.00)
    unpriced = {each["symbol"]: each["reason"] for each in valuation["unpriced"]}
    # The options of the sample are quoted, from marketdata's tables to here.
    assert unpriced == {"RENTAL_CONDO": "private_asset"}
    assert report["not_built"] == []


async def test_calculating_again_gives_the_same_numbers_under_a_new_run(system: System):
    async with Client(system.address) as client:
        await newcomer(client)
        portfolio_id = await uploaded(client, csv("AAPL,10,150.00,2024-01-16"))
        before = await client.report(portfolio_id)
        run_id = await client.calculate(portfolio_id)

        async def finished() -> bool:
            status = await client._ask("GET", f"/portfolio/{portfolio_id}/batch-status/{run_id}")
            return bool(status["status"] == "completed")

        await eventually(finished)
        after = await client.report(portfolio_id)
    assert after["engines"]["valuation"]["totals"] == before["engines"]["valuation"]["totals"]


async def test_another_equity_balance_moves_cash_and_net_asset_value_by_the_difference(
    system: System,
):
    async with Client(system.address) as client:
        await newcomer(client)
        portfolio_id = await uploaded(client, csv("AAPL,10,150.00,2024-01-16"))
        before = (await client.report(portfolio_id))["engines"]["valuation"]
        path = f"/analytics/portfolio/{portfolio_id}/equity"
        stated = await client._ask("PUT", path, json={"equity_balance": 120000.5})

        async def calculated() -> bool:
            return bool((await client.report(portfolio_id))["book_revision"] == 2)

        await eventually(calculated)
        told = await told_until(client, portfolio_id, ENDED | {"portfolio.changed"})
        report = await client.report(portfolio_id)
        overview = await client._ask("GET", f"/analytics/portfolio/{portfolio_id}/overview")
        (shown,) = await client.portfolios()
        again = await client._ask("PUT", path, json={"equity_balance": 120000.50})
    after = report["engines"]["valuation"]
    assert (stated["revision"], stated["equity_balance"]) == (2, 120000.5)
    changed = next(each for each in told if each.name == "portfolio.changed")
    assert (changed.data["revision"], changed.data["run_id"]) == (2, None)
    for name in ("equity_balance", "cash", "opening_cash", "net_asset_value"):
        moved = after["totals"][name] - before["totals"][name]
        assert moved == pytest.approx(20_000.5, abs=0.005), name
    for name in ("net_market_value", "unrealized_pnl", "opening_session"):
        assert after["totals"][name] == before["totals"][name]
    assert overview["equity_balance"] == 120000.5
    assert (report["stale"], report["snapshots"][-1]["revision"]) == (False, 2)
    assert shown["total_value"] == report["net_asset_value"] == after["totals"]["net_asset_value"]
    assert (again["changed"], again["revision"]) == (False, 2)


async def test_an_unknown_symbol_is_imported_and_named_in_the_coverage(system: System):
    async with Client(system.address) as client:
        await newcomer(client)
        created = await client.create_portfolio(
            "Odd", "10000", csv("AAPL,1,150.00,2024-01-16", "ZZZZQ,5,10.00,2024-01-16")
        )
        told = await told_until(client, created["portfolio_id"], ENDED | {"prices.incomplete"})
        report = await client.report(created["portfolio_id"])
    incomplete = next(each for each in told if each.name == "prices.incomplete")
    assert incomplete.data["coverage"] == 0.5
    assert [each["symbol"] for each in incomplete.data["missing"]] == ["ZZZZQ"]
    assert report["status"] == "partial"
    assert report["engines"]["valuation"]["unpriced"][0]["symbol"] == "ZZZZQ"


async def test_a_stream_cut_after_every_event_loses_and_repeats_nothing(system: System):
    async with Client(system.address) as client:
        await newcomer(client)
        portfolio_id = await uploaded(client, csv("MSFT,10,400.00,2024-01-16"))
        path, last, run_id = f"/portfolio/{portfolio_id}/events", "", ""
        steps = {"run.requested", "prices.ready", "risk.calculated", "run.completed"}
        seen: list[int] = []
        told: list[str] = []
        async with asyncio.timeout(60):
            while not steps <= set(told):
                headers = {"Last-Event-ID": last} if last else {}
                async with aconnect_sse(client._http, "GET", path, headers=headers) as source:
                    async for event in source.aiter_sse():
                        if event.data:
                            last = event.id
                            seen.append(int(event.id))
                            assert (event.event == "snapshot") == (len(seen) == 1)
                            # News of the upload may still come: the bus promises no order.
                            if run_id and event.json()["run_id"] == run_id:
                                told.append(event.event)
                            break
                if len(seen) == 1:
                    run_id = await client.calculate(portfolio_id)
    assert seen == sorted(set(seen))
    assert sorted(name for name in told if name in steps) == sorted(steps)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/analytics/portfolio/{id}/report"),
        ("GET", "/analytics/portfolio/{id}/overview"),
        ("PUT", "/analytics/portfolio/{id}/equity"),
        ("GET", "/portfolio/{id}/events"),
        ("POST", "/portfolio/{id}/calculate"),
        ("POST", "/analytics/portfolio/{id}/calculate"),
        ("GET", "/portfolio/{id}/batch-status/{id}"),
        ("GET", "/data/portfolios/{id}"),
        ("GET", "/data/positions/details?portfolio_id={id}"),
    ],
)
async def test_another_users_portfolio_does_not_exist(system: System, method: str, path: str):
    async with Client(system.address) as owner, Client(system.address) as stranger:
        await newcomer(owner)
        portfolio_id = str(
            (await owner.create_portfolio("Mine", "1000", csv("AAPL,1,150.00,2024-01-16")))[
                "portfolio_id"
            ]
        )
        await newcomer(stranger)
        with pytest.raises(Refused) as refused:
            await stranger._ask(method, path.replace("{id}", portfolio_id))
    assert refused.value.status == 404
    async with httpx.AsyncClient(base_url=f"{system.address}/api/v1", trust_env=False) as nobody:
        answer = await nobody.request(method, path.replace("{id}", portfolio_id))
    assert answer.status_code == 401


async def test_bad_files_are_refused_by_their_rows_and_nothing_is_written(system: System):
    async with Client(system.address) as client:
        await newcomer(client)
        bad = csv("AAPL,10,150.00,2024-01-16", "MSFT,ten,400.00,2024-01-16", ",1,1.00,2024-01-16")
        with pytest.raises(Refused) as refused:
            await client.create_portfolio("Book", "1000", bad)
        faults = refused.value.details["errors"]
        assert refused.value.code == "ERR_PORT_008"
        assert [(fault["row"], fault["code"]) for fault in faults] == [
            (3, "ERR_POS_005"),
            (4, "ERR_POS_001"),
        ]
        for content, code in (
            (b"", "ERR_CSV_005"),
            (b"\x89PNG\r\n\x1a\n\xff\xfe", "ERR_CSV_006"),
            (b"# only a comment\n", "ERR_CSV_003"),
            (b"x" * (10 * 1024 * 1024 + 1), "ERR_CSV_001"),
        ):
            with pytest.raises(Refused) as refused:
                await client.create_portfolio("Book", "1000", ("book.csv", content))
            assert [fault["code"] for fault in refused.value.details["errors"]][:1] == [code]
        with pytest.raises(Refused) as refused:
            await client.create_portfolio("Book", "1000", ("book.csv", b"x" * 17 * 1024 * 1024))
        assert (refused.value.status, refused.value.code) == (413, "ERR_TOO_LARGE")
        assert await client.portfolios() == []
        windows = "\ufeff" + f"{HEADER}\r\nAAPL,10,150.00,2024-01-16\r\n"
        await uploaded(client, ("book.csv", windows.encode()))
        with pytest.raises(Refused) as refused:
            await client.create_portfolio("Another", "1000", csv("AAPL,1,1.00,2024-01-16"))
        assert (refused.value.status, refused.value.code) == (409, "ERR_PORT_001")


async def test_poison_reaches_the_dead_letters_with_its_cause_while_the_rest_is_served(
    system: System,
):
    bus = system.bus()
    broken = Envelope(name="portfolio.created", payload={"book": {"portfolio_id": "nonsense"}})
    await bus.publish([broken])
    async with Client(system.address) as client:
        await newcomer(client)
        await uploaded(client, csv("AAPL,1,150.00,2024-01-16"))

    async def letters():
        return [
            letter
            for letter in await bus.dead_letters("risk-engine")
            if letter.message_id == broken.id
        ]

    letter = (await eventually(letters))[0]
    assert "portfolio.created.v1" in letter.reason
    assert letter.attempts == 1
    for queue in ("auth", "marketdata", "risk-engine", "scheduler", "gateway"):
        await bus.discard(queue)
    await bus.close()


async def test_an_operators_message_brings_everybody_up_to_date(system: System):
    async with Client(system.address) as client:
        await newcomer(client)
        portfolio_id = await uploaded(client, csv("AAPL,1,150.00,2024-01-16"))
        before = (await client.report(portfolio_id))["calculated_at"]
        bus = system.bus()
        nightly = RunJob(job="nightly", requested_by="ops")
        await bus.publish([Envelope.of(nightly, producer="by hand")])
        await bus.close()

        async def calculated_again() -> bool:
            return bool((await client.report(portfolio_id))["calculated_at"] > before)

        await eventually(calculated_again)


async def test_the_steps_of_the_readme_work_as_they_are_pasted(system: System, tmp_path: Path):
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    assert shutil.which("curl"), "the README's steps need curl"
    ended = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", blocks[0]],
        cwd=tmp_path,
        env={**clean_environment(), "API": f"{system.address}/api/v1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    report = json.loads((tmp_path / "report.json").read_text())
    assert Decimal(str(report["net_asset_value"])) == 100000


async def test_the_documentation_names_every_service_route(system: System):
    async with httpx.AsyncClient(base_url=system.address, trust_env=False) as http:
        assert (await http.get("/docs")).status_code == 200
        paths = (await http.get("/openapi.json")).json()["paths"]
        assert (await http.get("/errors")).status_code == 200
    assert "/api/v1/onboarding/create-portfolio" in paths
    assert "/api/v1/analytics/portfolio/{portfolio_id}/report" in paths
    assert "/api/v1/auth/login" in paths
    assert not [path for path in paths if "/internal" in path]


async def test_every_message_of_a_journey_is_heard_and_is_as_asyncapi_describes_it(
    system: System, spy: Spy
):
    async with Client(system.address) as client:
        await newcomer(client)
        portfolio_id = await uploaded(client, csv("AAPL,1,150.00,2024-01-16"))
        await client._ask(
            "PUT", f"/analytics/portfolio/{portfolio_id}/equity", json={"equity_balance": 2000}
        )
        await client._ask("POST", "/auth/logout")
        await newcomer(client)
        await uploaded(client, csv("AAPL,1,150.00,2024-01-16", "ZZZZQ,5,10.00,2024-01-16"))
    bus = system.bus()
    await bus.publish([Envelope.of(RunJob(requested_by="ops"), producer="by hand")])

    async def everything() -> bool:
        return (await spy.names()).keys() >= HEARD

    await eventually(everything)
    assert await at_rest(system.admin_url(), bus) == []
    await bus.close()
    assert await spy.faults() == []
    assert {message.routing_key() for message in (*EVENTS, *COMMANDS)} == HEARD | NOT_SAID_YET
