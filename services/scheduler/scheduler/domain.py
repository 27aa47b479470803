"""Runs and their items: what they are, how they begin, when they end. Rules only, no I/O."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from common.calendar import is_closed, last_closed_session
from common.errors import ErrorCode, ServiceError, Spec
from common.events.scheduler import ITEMS_IN_REQUEST, JobName, RequestedItem

DEADLINE = timedelta(hours=24)
"""How long a run waits for its items; what has no outcome then has expired."""
EVERYTHING = "all"
"""The scope of a run of all portfolios."""

Outcome = Literal["calculated", "failed", "superseded", "deleted", "expired"]
EndStatus = Literal["completed", "completed_with_failures", "failed"]
RunStatus = Literal["open"] | EndStatus
Stage = Literal["queued", "pricing", "calculating", "ended"]
ItemStatus = Literal["running", "completed", "failed"]

COUNTED_AS_FAILED: tuple[Outcome, ...] = ("failed", "expired")
COUNTED_AS_SUPERSEDED: tuple[Outcome, ...] = ("superseded", "deleted")


class Code(ErrorCode):
    """The scheduler's error codes."""

    ERR_BATCH_001 = Spec(
        409,
        "The same run is open already.",
        "Poll the run in details.batch_run_id, or ask again with force=true.",
    )
    ERR_BATCH_002 = Spec(
        404,
        "No run with this id includes the portfolio.",
        "Use the poll_url of the answer that started the run.",
    )
    ERR_BATCH_003 = Spec(
        422,
        "The date asked for is not an NYSE session that has closed.",
        "Leave as_of out for the last closed session.",
    )
    ERR_BATCH_004 = Spec(
        422,
        "The job cannot be run as it was asked for.",
        "Ask for calculate or nightly, and name at least one portfolio or none at all for all.",
    )
    ERR_LETTER_001 = Spec(
        404,
        "There is no dead letter with this id.",
        "List them: it may have been redriven or discarded, or have died anew under another id.",
    )


@dataclass(frozen=True)
class Portfolio:
    """What the scheduler knows of a portfolio."""

    portfolio_id: UUID
    user_id: UUID
    revision: int
    deleted: bool = False


@dataclass(frozen=True)
class Run:
    """One run of a job, as it was opened or as it stands."""

    run_id: UUID
    job: JobName
    as_of: date | None
    """NYSE session; None for an import of which no prices have been heard yet."""
    scope: str
    opened_at: datetime
    forced: bool = False
    requested_by: str | None = None
    """Who asked, in words; None for an import, which its user asked for."""
    user_id: UUID | None = None
    """Whose run it is; None when it is over several users' portfolios."""
    status: RunStatus = "open"
    ended_at: datetime | None = None

    @property
    def deadline(self) -> datetime:
        """Return when its open items expire."""
        return self.opened_at + DEADLINE

    @property
    def triggered_by(self) -> str | None:
        """Return who asked, or the user whose import it is; None while that is unknown."""
        return self.requested_by or (str(self.user_id) if self.user_id else None)

    def elapsed_seconds(self, now: datetime) -> float:
        """Return how long it took, or has taken so far."""
        return ((self.ended_at or now) - self.opened_at).total_seconds()


@dataclass(frozen=True)
class Item:
    """One portfolio of a run, as the run begins; with an outcome there is nothing to wait for."""

    portfolio_id: UUID
    revision: int | None
    outcome: Outcome | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What the risk engine says of a portfolio, and of which state of it."""

    portfolio_id: UUID
    revision: int
    as_of: date | None
    """NYSE session; None for a failure that was before any session's prices."""
    outcome: Outcome
    reason: str | None = None


@dataclass(frozen=True)
class Coverage:
    """What marketdata said of a portfolio's prices."""

    symbols: int
    """Distinct priceable symbols of the book."""
    coverage: float | None
    """Priced share of them, 0 to 1; None when there are none."""
    missing: tuple[tuple[str, str, str], ...]
    """Symbol, reason (a code) and the reason as a sentence of each one without prices."""
    sufficient: bool
    """Whether coverage reaches marketdata's threshold."""


@dataclass(frozen=True)
class Progress:
    """Where one portfolio stands in one run."""

    run: Run
    revision: int | None
    outcome: Outcome | None
    reason: str | None
    ended_at: datetime | None
    coverage: Coverage | None

    @property
    def stage(self) -> Stage:
        """Return what is being waited for; derived, so that late news cannot turn it back."""
        if self.outcome is not None:
            return "ended"
        return "pricing" if self.coverage is None else "calculating"

    @property
    def status(self) -> ItemStatus:
        """Return how this portfolio fared, whatever the run's other portfolios do."""
        if self.outcome is None:
            return "running"
        return "failed" if self.outcome in COUNTED_AS_FAILED else "completed"

    def elapsed_seconds(self, now: datetime) -> float:
        """Return the seconds from the run's opening to this portfolio's end, or to now."""
        return ((self.ended_at or now) - self.run.opened_at).total_seconds()


@dataclass(frozen=True)
class Tally:
    """A run's items by what became of them."""

    total: int
    calculated: int
    failed: int
    superseded: int

    @property
    def pending(self) -> int:
        """Return how many items have no outcome yet."""
        return self.total - self.calculated - self.failed - self.superseded

    @property
    def end_status(self) -> EndStatus:
        """Return the status of a run that ends like this; superseded items are no failures."""
        if not self.failed:
            return "completed"
        return "failed" if self.failed == self.total else "completed_with_failures"

    @property
    def percent_done(self) -> float:
        """Return the share of items with an outcome, 0 to 100; 100 for a run of none."""
        return 100.0 * (self.total - self.pending) / self.total if self.total else 100.0


@dataclass(frozen=True)
class Ending:
    """A run of which every item has an outcome."""

    run: Run
    tally: Tally
    portfolio_ids: tuple[UUID, ...]
    """By id; empty above `ITEMS_IN_REQUEST`."""


def session_for(asked: date | None, now: datetime) -> date:
    """Return the session to run for: the one asked for, else the last that has closed.

    ERR_BATCH_003 for a day that is no session, or one that has not closed yet.
    """
    if asked is None:
        return last_closed_session(now)
    try:
        closed = is_closed(asked, now)
    except ValueError as error:
        raise ServiceError(
            Code.ERR_BATCH_003, f"as_of cannot be {asked}: {error}.", details={"as_of": asked}
        ) from error
    if not closed:
        raise ServiceError(
            Code.ERR_BATCH_003,
            f"as_of cannot be {asked}: that session has not closed; the last that has is "
            f"{last_closed_session(now)}.",
            details={"as_of": asked},
        )
    return asked


def scope_of(portfolio_ids: Iterable[UUID] | None) -> str:
    """Return what two runs must share to be the same: all, one id, or a digest of several."""
    if portfolio_ids is None:
        return EVERYTHING
    distinct = sorted({str(portfolio_id) for portfolio_id in portfolio_ids})
    if len(distinct) == 1:
        return distinct[0]
    return f"sha256:{hashlib.sha256(' '.join(distinct).encode()).hexdigest()}"


def item_for(portfolio_id: UUID, revision: int | None, known: Portfolio | None) -> Item:
    """Return a run's item for a portfolio; it has ended already when nothing can be calculated.

    `revision` is the one that a message names; None takes the one that is known.
    """
    if revision is None and known is not None:
        revision = known.revision
    if revision is None:
        return Item(portfolio_id, None, "failed", "unknown_portfolio")
    if known is not None and known.deleted and known.revision >= revision:
        return Item(portfolio_id, revision, "deleted", "portfolio_deleted")
    return Item(portfolio_id, revision)


def owner_of(portfolios: Iterable[Portfolio]) -> UUID | None:
    """Return whose portfolios these are; None when they are several users' or nobody's."""
    owners = {portfolio.user_id for portfolio in portfolios}
    return owners.pop() if len(owners) == 1 else None


def in_chunks(items: Sequence[RequestedItem]) -> Iterator[tuple[RequestedItem, ...]]:
    """Return the items in the chunks in which a run asks for them."""
    for start in range(0, len(items), ITEMS_IN_REQUEST):
        yield tuple(items[start : start + ITEMS_IN_REQUEST])
