"""The risk engine is done with a portfolio: the items that waited for it end."""

from common.events.risk_engine import CalculationFailed, RiskCalculated
from common.unit_of_work import Unit
from scheduler.domain import Outcome, Verdict
from scheduler.handlers.lifecycle import end_runs, join_flow, learn
from scheduler.repository import Store

SUPERSEDED = "superseded"
"""The reason by which risk-engine says that newer data took this calculation's place."""


async def end_as_calculated(event: RiskCalculated, store: Store, unit: Unit) -> None:
    """End the items that these results answer."""
    verdict = Verdict(event.portfolio_id, event.revision, event.as_of, "calculated")
    await _end(verdict, store, unit)


async def end_as_failed(event: CalculationFailed, store: Store, unit: Unit) -> None:
    """End the items that this failure answers, with its reason.

    That a calculation was superseded says something of its own run only: what took its place may be
    another run's at the same revision, and says itself how that one's item ended.
    """
    outcome: Outcome = "superseded" if event.reason == SUPERSEDED else "failed"
    verdict = Verdict(event.portfolio_id, event.revision, event.as_of, outcome, event.reason)
    await _end(verdict, store, unit)


async def _end(verdict: Verdict, store: Store, unit: Unit) -> None:
    run = await join_flow(store, unit, {verdict.portfolio_id: verdict.revision})
    await store.runs.lock_waiting_for(verdict.portfolio_id)
    await learn(store, unit, run, verdict.as_of)
    await end_runs(store, unit, await store.items.end(verdict, unit.cause.run_id, unit.now))
