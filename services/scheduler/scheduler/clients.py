"""The other services, as the scheduler needs them."""

from dataclasses import dataclass
from uuid import UUID

from common.client import ServiceClient
from common.errors import Unavailable
from scheduler.domain import Portfolio


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
