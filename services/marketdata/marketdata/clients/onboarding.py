"""Onboarding, the book of record."""

from uuid import UUID

from common.client import ServiceClient, unexpected
from common.errors import Unavailable
from common.events.onboarding import Book


class Onboarding:
    """Books that marketdata was not told of, or not in full."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def book(self, portfolio_id: UUID, revision: int) -> Book | None:
        """Return a book at this revision, or at a newer one if that has taken its place.

        None when onboarding says that there is no such portfolio.

        Raises:
            Unavailable: onboarding says nothing of use now.
            Refused: nor will it later.
        """
        while True:
            answer = await self._client.get(f"/internal/books/{portfolio_id}/{revision}")
            if answer.status_code == 200:
                return Book.model_validate_json(answer.content)
            if answer.status_code == 404:
                return None
            if answer.status_code != 410:
                raise unexpected(answer, "onboarding", "a book")
            newer = int(answer.json()["error"]["details"]["revision"])
            if newer <= revision:
                raise Unavailable(f"onboarding names revision {newer} in place of {revision}")
            revision = newer
