"""Everything known of a portfolio, and the part of it that other services ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Final
from uuid import UUID

from pydantic import Field

from risk_engine.domain import EngineName, Status
from risk_engine.repository import Known, Snapshot
from risk_engine.schemas.base import Answer
from risk_engine.schemas.engines import EngineOut, engines_of
from risk_engine.schemas.performance import SnapshotOut
from risk_engine.schemas.summary import Summary, summary, valuation_of
from risk_engine.schemas.valuation import PositionOut, Totals

PORTFOLIOS_IN_REQUEST = 1_000
_JUDGED: Final[Sequence[EngineName]] = ("valuation", "greeks", "exposure")
"""Whose statuses a report's own is of: what is owned and at stake. The others need long histories,
which a young or empty book cannot have; theirs stand beside it."""


class FailureOut(Answer):
    """Why an engine's last attempt gave nothing."""

    reason: str
    message: str


class Report(Summary):
    """Everything known of a portfolio, engine by engine.

    `status` is the valuation's where that is insufficient; else `partial` where valuation, greeks
    or exposure lack anything or failed, `stale` where one of them rests on an earlier close.
    """

    engine_statuses: dict[EngineName, Status] = Field(
        {}, description="Of each engine that has a result"
    )
    portfolio_id: UUID
    name: str | None
    net_asset_value: float | None
    engines: dict[EngineName, EngineOut]
    failed: dict[EngineName, FailureOut]
    not_built: list[EngineName] = Field(
        description="Engines that do not exist yet: none since all eight do"
    )
    snapshots: list[SnapshotOut] = Field(description="The last sessions, oldest first")


class ValuationsRequest(Answer):
    """Whose valuations are wanted."""

    portfolio_ids: list[UUID] = Field(max_length=PORTFOLIOS_IN_REQUEST)
    positions: bool = True
    """Whether each position is wanted, or the totals alone."""


class PortfolioValuation(Summary):
    """A portfolio's newest valuation."""

    totals: Totals | None
    positions: list[PositionOut]


class Valuations(Answer):
    """Valuations by portfolio."""

    valuations: dict[UUID, PortfolioValuation]


def report(portfolio_id: UUID, known: Known | None, snapshots: Sequence[Snapshot]) -> Report:
    """Put a report together; None is a portfolio the replica has not heard of."""
    valuation = valuation_of(known)
    engines = engines_of(known)
    failures = {} if known is None else known.failures
    statuses: dict[EngineName, Status] = {name: one.status for name, one in engines.items()}
    return Report(
        **summary(known, valuation) | {"status": overall(statuses)},
        engine_statuses=statuses,
        portfolio_id=portfolio_id,
        name=None if known is None else known.name,
        net_asset_value=None if valuation is None else valuation.totals.net_asset_value,
        engines=engines,
        failed={
            name: FailureOut(reason=failure.reason, message=failure.message)
            for name, failure in failures.items()
        },
        not_built=[],
        snapshots=[SnapshotOut(**asdict(snapshot)) for snapshot in snapshots],
    )


def overall(of: Mapping[EngineName, Status]) -> Status | None:
    """Judge a report by the statuses of its engines; one that failed has none."""
    valued = of.get("valuation")
    if valued is None or valued == "insufficient":
        return valued
    judged = {of.get(name) for name in _JUDGED}
    if judged <= {"ok", "stale"}:
        return "stale" if "stale" in judged else "ok"
    return "partial"


def valuations(
    portfolio_ids: Sequence[UUID], known: Mapping[UUID, Known], *, positions: bool = True
) -> Valuations:
    """Give every portfolio asked for its newest valuation, or why there is none."""
    return Valuations(
        valuations={
            portfolio_id: _valuation(known.get(portfolio_id), positions=positions)
            for portfolio_id in portfolio_ids
        }
    )


def _valuation(known: Known | None, *, positions: bool) -> PortfolioValuation:
    valuation = valuation_of(known)
    return PortfolioValuation(
        **summary(known, valuation),
        totals=None if valuation is None else valuation.totals,
        positions=valuation.positions if valuation is not None and positions else [],
    )
