"""The main job, shown: register, upload, follow, read the report. Through the public API only."""

import asyncio
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from common.home import kept_secret
from common.settings import EnvironmentSettings
from deploy.cli.client import Client, Happening, Refused
from deploy.cli.report import print_report

EMAIL = "demo@example.com"
NAME = "Demo Investor"
PORTFOLIO = "Sample portfolio"
EQUITY = "500000.00"
SAMPLE = Path(__file__).parent.parent / "embedded" / "sample_portfolio.csv"
PATIENCE_SECONDS = 120

STEPS = {
    "portfolio.created": "Positions stored",
    "run.requested": "Calculation requested",
    "securities.enriched": "Securities recognised",
    "prices.ready": "Prices ready",
    "prices.incomplete": "Prices incomplete: results will be partial",
    "calculation.progressed": "Calculating",
    "risk.calculated": "Risk calculated",
    "calculation.failed": "Calculation failed",
    "run.completed": "Run completed",
}


class DemoSettings(EnvironmentSettings):
    """What the demo must know of the system it visits."""

    beta_invite_code: str = "PRESCOTT-LINNAEAN-COWPERTHWAITE"


class DemoFailed(Exception):
    """The demo could not be shown to its end; the sentence says where it stopped."""


async def demo(address: str, home: Path, *, stays: bool = True) -> None:
    """Do what a new user would, and print what they would see.

    `stays` says whether the system will be there afterwards, to be visited.
    """
    console = Console()
    console.print(f"[bold]SigmaSight[/] is up at {address}\n")
    password = f"Aa1-{kept_secret(home, 'demo-password')}"
    async with Client(address) as client:
        await _sign_in(client, password)
        portfolios = await client.portfolios()
        if portfolios:
            portfolio_id = str(portfolios[0]["id"])
            console.print(f"{EMAIL} has a portfolio: calculating it again.")
            run_id = await client.calculate(portfolio_id)
        else:
            console.print(f"Uploading {SAMPLE.name} for {EMAIL}.")
            created = await client.create_portfolio(
                PORTFOLIO, EQUITY, (SAMPLE.name, await asyncio.to_thread(SAMPLE.read_bytes))
            )
            portfolio_id, run_id = str(created["portfolio_id"]), str(created["run_id"])
        await _follow(client, portfolio_id, run_id, console)
        console.print()
        print_report(await client.report(portfolio_id), console)
    if not stays:
        return
    console.print(f"\nDocumentation  {address}/docs")
    console.print(f"Health         {address}/health/ready")
    console.print(f"Log in as      {EMAIL}")
    console.print(f"Password       {password}")
    console.print("Ctrl-C ends everything.\n")


async def _sign_in(client: Client, password: str) -> None:
    invite = DemoSettings().beta_invite_code
    try:
        await client.register(EMAIL, password, NAME, invite)
    except Refused as refused:
        if refused.code != "ERR_USER_001":
            raise
    await client.login(EMAIL, password)


async def _follow(client: Client, portfolio_id: str, run_id: str, console: Console) -> None:
    """Show each step of a run until its result is there."""
    progress = _Progress(time.monotonic())
    with Live(progress.table(), console=console, refresh_per_second=12) as live:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                async for happening in client.happenings(portfolio_id):
                    for step in happening.told():
                        if step.data.get("run_id") == run_id:
                            progress.note(step)
                    live.update(progress.table())
                    if progress.ended:
                        break
        except (TimeoutError, httpx.TransportError) as error:
            raise DemoFailed(
                f"The result did not come within {PATIENCE_SECONDS} s ({error!r}); "
                "host.log in the home says more."
            ) from error


class _Progress:
    def __init__(self, started: float) -> None:
        self._started = started
        self._done: dict[str, float] = {}
        self.ended = False

    def note(self, step: Happening) -> None:
        self._done.setdefault(step.name, time.monotonic() - self._started)
        self.ended = self.ended or step.name in {"risk.calculated", "calculation.failed"}

    def table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, seconds in self._done.items():
            table.add_row(Text("✓", "green"), STEPS.get(name, name), f"{seconds:.2f} s")
        if not self.ended:
            table.add_row(Spinner("dots"), Text("working", "dim"), "")
        return table
