"""Onboarding, the book of record: asked for books too large for their event."""

from uuid import UUID

from common.client import ServiceClient, unexpected
from common.events.onboarding import Book


class Onboarding:
    """Books with all their positions."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def book(self, portfolio_id: UUID, revision: int) -> Book | None:
        """Return a book at this revision; None when it is gone, deleted or replaced by a newer.

        Raises:
            Unavailable: onboarding says nothing of use now.
            Refused: nor will it later.
        """
        answer = await self._client.get(f"/internal/books/{portfolio_id}/{revision}")
        if answer.status_code in {404, 410}:
            return None
        if answer.status_code != 200:
            raise unexpected(answer, "onboarding", "a book")
        return Book.model_validate_json(answer.content)
