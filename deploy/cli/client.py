"""The public REST and SSE interface, as a program uses it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from httpx_sse import aconnect_sse

from common.dead_letters import Kind, Moved, Overview, Selection, WholeLetter

STREAM_TRIES = 5
TIMEOUT = httpx.Timeout(100, connect=10)
"""A little more than the gateway gives the slowest of its services."""
DEAD_LETTERS = "/admin/dead-letters"


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
        self._http = httpx.AsyncClient(
            base_url=f"{address}/api/v1", timeout=TIMEOUT, trust_env=False
        )

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

    async def login(self, email: str, password: str) -> str:
        """Get a token, send it from now on, and return it."""
        token = await self._ask("POST", "/auth/login", json={"email": email, "password": password})
        found = str(token["access_token"])
        self.authorize(found)
        return found

    def authorize(self, token: str) -> None:
        """Send this access token from now on."""
        self._http.headers["Authorization"] = f"Bearer {token}"

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

    async def look(
        self,
        *,
        service: str | None = None,
        kind: Kind | None = None,
        group: str | None = None,
        limit: int = 100,
    ) -> Overview:
        """Return what was given up, by cause; for administrators."""
        given = {"service": service, "kind": kind, "group": group, "limit": str(limit)}
        query = {name: value for name, value in given.items() if value is not None}
        return Overview.model_validate(await self._ask("GET", DEAD_LETTERS, params=query))

    async def find(self, letter_id: str) -> WholeLetter | None:
        """Return one dead letter, or None when there is none of this id."""
        try:
            found = await self._ask("GET", f"{DEAD_LETTERS}/{quote(letter_id)}")
        except Refused as refused:
            if refused.code == "ERR_LETTER_001":
                return None
            raise
        return WholeLetter.model_validate(found)

    async def redrive(self, selection: Selection) -> Moved:
        """Have dead letters tried again as new."""
        return await self._move("redrive", selection)

    async def discard(self, selection: Selection) -> Moved:
        """Delete dead letters."""
        return await self._move("discard", selection)

    async def _move(self, verb: str, selection: Selection) -> Moved:
        asked = selection.model_dump(mode="json", exclude_none=True)
        return Moved.model_validate(await self._ask("POST", f"{DEAD_LETTERS}/{verb}", json=asked))

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        return _check(await self._http.request(method, path, **options)).json()


def _check(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    is_json = answer.headers.get("content-type", "").startswith("application/json")
    raise Refused(answer.status_code, answer.json() if is_json else {"detail": answer.text})
