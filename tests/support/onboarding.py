"""Onboarding under test: the service, uploads to it, and what risk-engine would say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import event

from common.db import READ_ONLY
from common.events.onboarding import Book, BookPosition
from common.service import Platform, Service
from onboarding.main import build
from onboarding.settings import Settings
from tests.support.harness import Harness
from tests.unit.onboarding.upload import csv_bytes, line

FORM = {"portfolio_name": "Main", "equity_balance": "485000.00"}
BOOK = csv_bytes(line("AAPL"), line("SHOP", "-25", "62.50"), line("CASH_USD", "1", "5000"))


def service(platform: Platform) -> Service:
    """Build onboarding as shipped."""
    return build(Settings(), platform)


async def upload(
    harness: Harness,
    user_id: UUID,
    content: bytes = BOOK,
    filename: str = "book.csv",
    **form: str,
) -> httpx.Response:
    """Import a file as this user."""
    return await harness.http.post(
        "/api/v1/onboarding/create-portfolio",
        headers=harness.neighbours.bearer(user_id),
        data={**FORM, **form},
        files={"csv_file": (filename, content, "text/csv")},
    )


async def get(harness: Harness, path: str, user_id: UUID) -> httpx.Response:
    """Read as this user."""
    return await harness.http.get(path, headers=harness.neighbours.bearer(user_id))


async def positions(harness: Harness, user_id: UUID, query: str = "") -> dict[str, Any]:
    """Return the user's positions by symbol, as `/data/positions/details` shows them."""
    answer = await get(harness, f"/api/v1/data/positions/details{query}", user_id)
    assert answer.status_code == 200, answer.text
    return {one["symbol"]: one for one in answer.json()["positions"]}


async def book_at(harness: Harness, portfolio_id: str | UUID, revision: int = 1) -> Book:
    """Return the book as other services fetch it."""
    answer = await harness.http.get(
        f"/internal/books/{portfolio_id}/{revision}", headers=harness.internal
    )
    assert answer.status_code == 200, answer.text
    return Book.model_validate_json(answer.content)


def lots(book: Book) -> tuple[BookPosition, ...]:
    """Return the positions of a book that has them."""
    assert book.positions is not None
    return book.positions


@contextmanager
def statements(harness: Harness) -> Iterator[Sequence[str]]:
    """Collect the statements on onboarding's own tables; COPY goes beside SQLAlchemy."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        housekeeping = {"onboarding.outbox", "onboarding.inbox"} & set(statement.split())
        # A health probe is none of it either.
        if not housekeeping and statement != str(READ_ONLY):
            seen.append(statement)

    engine = harness.service.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
