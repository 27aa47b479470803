"""The public REST and SSE interface, as a program uses it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx
from httpx_sse import aconnect_sse

STREAM_TRIES = 5


class Refused(Exception):
    """The system answered with an error; its sentence is the message."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(str(body.get("detail", f"status {status}")))
        self.status = status
        error = body.get("error")
        self.code: str = error.get("code", "") if isinstance(error, dict) else ""
        self.details: dict[str, Any] = (error or {}).get("details") or {}


@dataclass(frozen=True)
class Happening:
    """One event of a portfolio's stream."""

    id: str
    name: str
    data: dict[str, Any]

    def told(self) -> list["Happening"]:
        """Return the events this one tells: itself, or for a snapshot those that led to it."""
        if self.name != "snapshot":
            return [self]
        return [
            Happening(self.id, str(event["name"]), event)
            for portfolio in self.data["portfolios"]
            for event in portfolio["events"]
        ]


class Client:
    """A person's session with a gateway."""

    def __init__(self, address: str) -> None:
        self._http = httpx.AsyncClient(base_url=f"{address}/api/v1", timeout=30, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def register(self, email: str, password: str, full_name: str, invite_code: str) -> None:
        """Make an account; `Refused` with ERR_USER_001 when it exists."""
        await self._ask(
            "POST",
            "/onboarding/register",
            json={
                "email": email,
                "password": password,
                "full_name": full_name,
                "invite_code": invite_code,
            },
        )

    async def login(self, email: str, password: str) -> None:
        """Get a token and send it from now on."""
        token = await self._ask("POST", "/auth/login", json={"email": email, "password": password})
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"

    async def portfolios(self) -> list[dict[str, Any]]:
        """Return the caller's portfolios."""
        found: list[dict[str, Any]] = await self._ask("GET", "/data/portfolios")
        return found

    async def create_portfolio(
        self, name: str, equity_balance: str, csv: tuple[str, bytes]
    ) -> dict[str, Any]:
        """Import a CSV of positions, given as name and content, as a new portfolio."""
        answer: dict[str, Any] = await self._ask(
            "POST",
            "/onboarding/create-portfolio",
            data={"portfolio_name": name, "equity_balance": equity_balance},
            files={"csv_file": (*csv, "text/csv")},
        )
        return answer

    async def calculate(self, portfolio_id: str) -> str:
        """Ask for a calculation and return its run, or the run that is open already."""
        try:
            answer = await self._ask("POST", f"/portfolio/{portfolio_id}/calculate")
        except Refused as refused:
            if refused.status != httpx.codes.CONFLICT or "batch_run_id" not in refused.details:
                raise
            return str(refused.details["batch_run_id"])
        return str(answer["batch_run_id"])

    async def report(self, portfolio_id: str) -> dict[str, Any]:
        """Return everything known of a portfolio."""
        found: dict[str, Any] = await self._ask(
            "GET", f"/analytics/portfolio/{portfolio_id}/report"
        )
        return found

    async def happenings(self, portfolio_id: str) -> AsyncIterator[Happening]:
        """Follow a portfolio's stream for good, resuming after a lost connection."""
        last, tries = "", 0
        while True:
            headers = {"Last-Event-ID": last} if last else {}
            try:
                async with aconnect_sse(
                    self._http,
                    "GET",
                    f"/portfolio/{portfolio_id}/events",
                    headers=headers,
                    timeout=httpx.Timeout(30, read=60),
                ) as source:
                    if source.response.status_code != httpx.codes.OK:
                        await source.response.aread()
                        _check(source.response)
                    async for event in source.aiter_sse():
                        last, tries = event.id or last, 0
                        # A block without data (a retry hint) is no event, says the standard.
                        if event.data:
                            yield Happening(event.id, event.event, event.json())
            except httpx.TransportError:
                tries += 1
                if tries > STREAM_TRIES:
                    raise
            await asyncio.sleep(0.2 * (tries + 1))

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        return _check(await self._http.request(method, path, **options)).json()


def _check(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    raise Refused(answer.status_code, answer.json() if is_json else {"detail": answer.text})
