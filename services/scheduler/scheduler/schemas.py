"""What the scheduler answers, field by field."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from common.events.scheduler import JobName
from scheduler.domain import Coverage, ItemStatus, Outcome, Progress, Run, RunStatus, Stage, Tally

NOT_PRICED_YET = "No prices of this portfolio have been heard of yet: they are being prepared."
NOTHING_TO_PRICE = "The portfolio has no position with a market price, so there is no coverage."


class MissingSymbol(BaseModel):
    """A symbol without usable prices, and why."""

    symbol: str
    reason: str
    """A code, as marketdata gives it."""
    message: str
    """The reason as a sentence."""


class Preprocessing(BaseModel):
    """How well the portfolio was priced when prices were last prepared for it."""

    symbols_count: int | None
    """Distinct priceable symbols; null while unknown."""
    security_master_enriched: int | None
    """Null: the scheduler does not hear of enrichment, `securities.enriched` tells of it."""
    prices_bootstrapped: int | None
    """How many of the symbols have prices; null while unknown."""
    price_coverage_percentage: float | None
    """0 to 100; null while unknown, and when there is nothing to price."""
    ready_for_batch: bool
    """Whether the coverage is known and sufficient. The run goes on without, marked partial."""
    warnings: list[str]
    recommendations: list[str]

    @classmethod
    def of(cls, coverage: Coverage | None) -> "Preprocessing":
        """Describe what is known of a portfolio's prices."""
        if coverage is None:
            return cls(
                symbols_count=None,
                security_master_enriched=None,
                prices_bootstrapped=None,
                price_coverage_percentage=None,
                ready_for_batch=False,
                warnings=[NOT_PRICED_YET],
                recommendations=[],
            )
        warnings = [
            f"{symbol} has no usable prices ({reason}). {message}".rstrip()
            for symbol, reason, message in coverage.missing
        ]
        if coverage.coverage is None:
            warnings.append(NOTHING_TO_PRICE)
        advice = "Check the symbols without prices: until they have some, results are partial."
        return cls(
            symbols_count=coverage.symbols,
            security_master_enriched=None,
            prices_bootstrapped=coverage.symbols - len(coverage.missing),
            price_coverage_percentage=_percentage(coverage.coverage),
            ready_for_batch=coverage.sufficient,
            warnings=warnings,
            recommendations=[] if coverage.sufficient else [advice],
        )


class CalculationStarted(BaseModel):
    """A calculation is under way."""

    status: Literal["started"] = "started"
    batch_run_id: UUID
    portfolio_id: UUID
    preprocessing: Preprocessing
    message: str
    poll_url: str


class BatchStatus(BaseModel):
    """Where a portfolio stands in a run."""

    status: ItemStatus
    """How this portfolio fares, whatever the run's others do."""
    batch_run_id: UUID
    portfolio_id: UUID
    started_at: datetime | None
    """Null while the run has not been heard of."""
    triggered_by: str | None
    elapsed_seconds: float | None
    job: JobName | None
    as_of: date | None
    """NYSE session; null until an import's prices are known."""
    stage: Stage
    """`queued` (not heard of yet), `pricing`, `calculating`, `ended`."""
    outcome: Outcome | None
    reason: str | None
    """Why it failed, was superseded, deleted or expired."""
    coverage: float | None
    """Priced share of the symbols, 0 to 1; null while unknown."""
    missing: list[MissingSymbol] | None
    """Symbols without usable prices; null while unknown."""
    message: str

    @classmethod
    def of(cls, progress: Progress, portfolio_id: UUID, now: datetime) -> "BatchStatus":
        """Describe a portfolio of a run."""
        run, coverage = progress.run, progress.coverage
        return cls(
            status=progress.status,
            batch_run_id=run.run_id,
            portfolio_id=portfolio_id,
            started_at=run.opened_at,
            triggered_by=run.triggered_by,
            elapsed_seconds=progress.elapsed_seconds(now),
            job=run.job,
            as_of=run.as_of,
            stage=progress.stage,
            outcome=progress.outcome,
            reason=progress.reason,
            coverage=coverage.coverage if coverage else None,
            missing=_missing(coverage),
            message=_SENTENCES[progress.outcome or progress.stage],
        )

    @classmethod
    def queued(cls, run_id: UUID, portfolio_id: UUID) -> "BatchStatus":
        """Describe a run whose first message is on its way."""
        return cls(
            status="running",
            batch_run_id=run_id,
            portfolio_id=portfolio_id,
            started_at=None,
            triggered_by=None,
            elapsed_seconds=None,
            job=None,
            as_of=None,
            stage="queued",
            outcome=None,
            reason=None,
            coverage=None,
            missing=None,
            message=_SENTENCES["queued"],
        )


_SENTENCES: dict[Stage | Outcome, str] = {
    "queued": "News of this portfolio is on its way; the run begins when it arrives.",
    "pricing": "Prices are being prepared.",
    "calculating": "Prices are prepared; the results are being calculated.",
    "calculated": "The results are stored and readable.",
    "failed": "No results could be calculated; earlier ones still stand.",
    "superseded": "Newer data of the portfolio took the place of this calculation.",
    "deleted": "The portfolio was deleted.",
    "expired": "There was no result within a day; ask for the calculation again.",
}


class JobRequest(BaseModel):
    """What an administrator may ask for."""

    job: Literal["calculate", "nightly"] | None = None
    """`calculate` when portfolios are named, else `nightly`."""
    as_of: date | None = None
    """A closed NYSE session; the last one when left out."""
    portfolio_ids: list[UUID] | None = Field(default=None, min_length=1)
    """All portfolios when left out."""


class JobStarted(BaseModel):
    """A run is under way."""

    status: Literal["started"] = "started"
    batch_run_id: UUID
    portfolio_id: str | None
    """The one portfolio, `all`, or null for several."""
    triggered_by: str
    timestamp: datetime
    poll_url: str


class Jobs(BaseModel):
    """A run's items by what became of them."""

    total: int
    completed: int
    """With results, or needing none any more."""
    failed: int
    pending: int

    @classmethod
    def of(cls, tally: Tally) -> "Jobs":
        """Count a run's items."""
        return cls(
            total=tally.total,
            completed=tally.calculated + tally.superseded,
            failed=tally.failed,
            pending=tally.pending,
        )


class NoCurrentRun(BaseModel):
    """No run is open."""

    status: Literal["idle"] = "idle"
    batch_run_id: None = None
    message: str = "No run is open."


class CurrentRun(BaseModel):
    """The run that is open."""

    status: Literal["running"] = "running"
    batch_run_id: UUID
    started_at: datetime
    elapsed_seconds: float
    triggered_by: str | None
    jobs: Jobs
    current_job: JobName
    current_portfolio: str | None
    """The portfolio of a run of one, else null: portfolios are calculated together."""
    progress_percent: float
    as_of: date | None

    @classmethod
    def of(cls, run: Run, tally: Tally, now: datetime) -> "CurrentRun":
        """Describe an open run."""
        return cls(
            batch_run_id=run.run_id,
            started_at=run.opened_at,
            elapsed_seconds=run.elapsed_seconds(now),
            triggered_by=run.triggered_by,
            jobs=Jobs.of(tally),
            current_job=run.job,
            current_portfolio=run.scope if tally.total == 1 else None,
            progress_percent=tally.percent_done,
            as_of=run.as_of,
        )


class PastRun(BaseModel):
    """A run, open or ended."""

    batch_run_id: UUID
    job: JobName
    as_of: date | None
    scope: str
    """`all`, one portfolio id, or a digest of several."""
    status: RunStatus
    forced: bool
    triggered_by: str | None
    started_at: datetime
    ended_at: datetime | None
    elapsed_seconds: float
    jobs: Jobs

    @classmethod
    def of(cls, run: Run, tally: Tally, now: datetime) -> "PastRun":
        """Describe a run."""
        return cls(
            batch_run_id=run.run_id,
            job=run.job,
            as_of=run.as_of,
            scope=run.scope,
            status=run.status,
            forced=run.forced,
            triggered_by=run.triggered_by,
            started_at=run.opened_at,
            ended_at=run.ended_at,
            elapsed_seconds=run.elapsed_seconds(now),
            jobs=Jobs.of(tally),
        )


class RunHistory(BaseModel):
    """A page of runs, newest first."""

    runs: list[PastRun]
    total: int
    has_more: bool


def _percentage(share: float | None) -> float | None:
    return None if share is None else round(100.0 * share, 2)


def _missing(coverage: Coverage | None) -> list[MissingSymbol] | None:
    if coverage is None:
        return None
    return [
        MissingSymbol(symbol=symbol, reason=reason, message=message)
        for symbol, reason, message in coverage.missing
    ]
