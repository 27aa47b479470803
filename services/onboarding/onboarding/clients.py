"""The other services as onboarding needs them."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import date
from functools import cached_property
from uuid import UUID

import httpx
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from common.client import ServiceClient
from common.errors import Unavailable

log = structlog.get_logger()

# A read waits this long for figures, then shows the book without them.
PATIENCE = httpx.Timeout(2.0)


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Mark(_Answer):
    """What one lot is worth, in the book's currency; null with a reason when that is unknown.

    Values are signed: a short position's is negative. Profits are positive.
    """

    position_id: UUID | None = None
    reason: str | None = None
    market_price: float | None = None
    market_value: float | None = None
    unrealized_pnl: float | None = None
    unrealized_pnl_percent: float | None = None
    realized_pnl: float | None = None


class Totals(_Answer):
    """What the account is worth, in the book's currency; market value is of priced lots only."""

    net_asset_value: float
    net_market_value: float | None = None


class Valuation(_Answer):
    """What risk-engine knows of a portfolio's value at the close of `as_of`."""

    available: bool
    stale: bool = False
    reason: str | None = None
    as_of: date | None = None
    panel_version: int | None = None
    book_revision: int | None = None
    provider: str | None = None
    totals: Totals | None = None
    positions: tuple[Mark, ...] = ()

    @classmethod
    def missing(cls, reason: str) -> "Valuation":
        """Return a valuation that is not there, and why."""
        return cls(available=False, reason=reason)

    def of_revision(self, revision: int) -> "Valuation":
        """Return it if it is of this revision: figures of another book are no figures of this."""
        if not self.available or self.book_revision == revision:
            return self
        return Valuation.missing("book_changed")

    def mark(self, position_id: UUID) -> Mark:
        """Return what is known of a lot."""
        if not self.available:
            return Mark(reason=self.reason)
        return self._marks.get(position_id, Mark(reason="not_calculated_yet"))

    @cached_property
    def _marks(self) -> dict[UUID | None, Mark]:
        return {mark.position_id: mark for mark in self.positions}


class _Valuations(_Answer):
    valuations: dict[UUID, Valuation]


class RiskEngine:
    """Asks risk-engine what portfolios are worth."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    async def valuations(
        self, portfolio_ids: Collection[UUID], *, positions: bool = False
    ) -> Mapping[UUID, Valuation]:
        """Return a valuation for each portfolio; one that is missing says why. Never raises.

        With `positions` each lot's too: an answer that grows with the book.
        """
        if not portfolio_ids:
            return {}
        try:
            known = await self._ask(portfolio_ids, positions=positions)
        except Unavailable as error:
            log.warning("valuations_missing", reason=str(error))
            return dict.fromkeys(portfolio_ids, Valuation.missing("risk_engine_unavailable"))
        unknown = Valuation.missing("not_calculated_yet")
        return {one: known.get(one, unknown) for one in portfolio_ids}

    async def _ask(
        self, portfolio_ids: Collection[UUID], *, positions: bool
    ) -> Mapping[UUID, Valuation]:
        answer = await self._client.post(
            "/internal/valuations",
            json={"portfolio_ids": [str(one) for one in portfolio_ids], "positions": positions},
            timeout=PATIENCE,
        )
        if answer.status_code != 200:
            raise Unavailable(f"risk-engine answered {answer.status_code} about valuations")
        try:
            read = await asyncio.to_thread(_Valuations.model_validate_json, answer.content)
        except ValidationError as error:
            raise Unavailable(f"risk-engine's valuations cannot be read: {error}") from error
        return read.valuations
