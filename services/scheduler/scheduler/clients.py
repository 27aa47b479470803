"""The other services, as the scheduler needs them."""

from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from common.client import ServiceClient
from common.dead_letters import Page, Place, Selection, WholeLetter
from common.dead_letters.api import PATH, Count
from common.errors import Unavailable
from scheduler.domain import Portfolio

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Onboarding:
    """The book of record."""

    client: ServiceClient

    async def portfolio(self, portfolio_id: UUID) -> Portfolio | None:
        """Return whose portfolio it is and at which revision; None when there is none."""
        answer = await self.client.get(f"/internal/portfolios/{portfolio_id}")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise Unavailable(f"onboarding answered {answer.status_code} about a portfolio")
        body = answer.json()
        return Portfolio(portfolio_id, UUID(body["user_id"]), body["revision"])


@dataclass(frozen=True)
class WorkOf:
    """The dead letters of another service's work table, which that service alone may read."""

    service: str
    client: ServiceClient

    @property
    def place(self) -> Place:
        """Return where they are."""
        return Place("work", self.service)

    async def look(self, *, group: str | None, limit: int) -> Page:
        """Return causes and letters, of one cause or of all."""
        query = {"limit": str(limit)} | ({} if group is None else {"group": group})
        return self._read(Page, await self.client.get(PATH, params=query))

    async def find(self, within: str) -> WholeLetter | None:
        """Return one letter with all it says, or None."""
        try:
            row = UUID(within)
        except ValueError:
            return None
        answer = await self.client.get(f"{PATH}/{row}")
        return None if answer.status_code == 404 else self._read(WholeLetter, answer)

    async def redrive(self, selection: Selection) -> int:
        """Let rows be worked on again as new; return how many."""
        return await self._move("redrive", selection)

    async def discard(self, selection: Selection) -> int:
        """Delete rows; return how many."""
        return await self._move("discard", selection)

    async def _move(self, verb: str, selection: Selection) -> int:
        answer = await self.client.post(f"{PATH}/{verb}", json=selection.model_dump(mode="json"))
        return self._read(Count, answer).moved

    def _read(self, model: type[Answer], answer: httpx.Response) -> Answer:
        if answer.status_code != 200:
            raise Unavailable(f"{self.service} answered {answer.status_code} about its letters")
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise Unavailable(f"{self.service} answered something else than letters") from error
