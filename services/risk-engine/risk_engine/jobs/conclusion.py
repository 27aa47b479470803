"""End a chunk: what is stored of what came out, what is calculated again, and what is announced."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from common import calendar
from common.events.risk_engine import CalculationFailed, RiskCalculated
from common.unit_of_work import Unit
from risk_engine.domain import Failure
from risk_engine.engine.chunk import Calculated
from risk_engine.handlers import CALCULATE, Chunk, Item, supersede, verdict
from risk_engine.repository import EVERY_ENGINE, Later, Standing, Store

Ending = Literal["calculated", "failed", "superseded", "repeated"]

HISTORY_SESSIONS = 780
"""How far back the sessions of an account are read: as far as a panel goes."""

Answers = Mapping[UUID, Calculated | Failure]
"""What came out, by portfolio; none for a book that has moved on meanwhile."""
States = Mapping[UUID, Decimal]
"""What histories were when they were read: `repository.history.Histories.states`."""


def history_start(as_of: date) -> date:
    """Return the first session of the history that a calculation reads."""
    return calendar.session_back(as_of, HISTORY_SESSIONS)


async def conclude(
    chunk: Chunk, answers: Answers, states: States, store: Store, unit: Unit, *, kept: int
) -> Counter[Ending]:
    """Store what is still current, announce how each item ended; return how many ended how.

    What was calculated from a history that is not as it was any more is left to be calculated
    again; nothing is announced of it yet. Where a session's row changed and later sessions have
    results already, those are calculated again: so it does not matter in which order nights end.
    Of each portfolio results of `kept` sessions stay.
    """
    ids = [item.portfolio_id for item in chunk.items]
    await store.books.lock(ids)
    standings = await store.books.standings(ids)
    now = await store.histories.states(ids, history_start(chunk.as_of), chunk.as_of)
    again: list[Item] = []
    calculated: list[Calculated] = []
    failed: dict[UUID, tuple[int, Failure]] = {}
    for item in chunk.items:
        answer = answers.get(item.portfolio_id)
        if verdict(item.revision, standings.get(item.portfolio_id)) != "current":
            continue
        if isinstance(answer, Calculated):
            if now.get(item.portfolio_id) == states.get(item.portfolio_id):
                calculated.append(answer)
            else:
                again.append(item)
        elif answer is not None:
            failed[item.portfolio_id] = (item.revision, answer)
    stored = await _save(chunk, calculated, store, unit, kept)
    if again:
        unit.enqueue(CALCULATE, chunk.model_copy(update={"items": tuple(again)}))
    await store.results.save_failures(
        {(portfolio_id, EVERY_ENGINE): why for portfolio_id, why in failed.items()},
        chunk.as_of,
        chunk.panel_version,
        unit.now,
    )

    by_portfolio = {one.portfolio_id: one for one in calculated if one.portfolio_id in stored}
    ended: Counter[Ending] = Counter({"repeated": len(again)} if again else {})
    for item in (one for one in chunk.items if one not in again):
        standing = standings.get(item.portfolio_id)
        if standing is not None and item.portfolio_id in by_portfolio:
            ended["calculated"] += 1
            _announce_result(by_portfolio[item.portfolio_id], standing, chunk, unit)
        elif standing is not None and item.portfolio_id in failed:
            ended["failed"] += 1
            _announce_failure(item, failed[item.portfolio_id][1], standing, chunk, unit)
        else:
            ended["superseded"] += 1
            supersede(item, chunk.as_of, standing, unit)
    return ended


async def _save(
    chunk: Chunk, calculated: Sequence[Calculated], store: Store, unit: Unit, kept: int
) -> Collection[UUID]:
    """Store results, and have calculated again what came after and rests on them."""
    today = (chunk.as_of, chunk.as_of + timedelta(days=1))
    later = await store.histories.later([one.portfolio_id for one in calculated], chunk.as_of)
    before = await store.histories.states(later, *today) if later else {}
    stored = await store.results.save(
        calculated, chunk.as_of, chunk.panel_version, unit.now, kept=kept
    )
    after = await store.histories.states(later, *today) if later else {}
    changed = {one.portfolio_id: one.revision for one in calculated if one.portfolio_id in stored}
    resting: defaultdict[Later, list[Item]] = defaultdict(list)
    for portfolio_id, next_one in later.items():
        if portfolio_id in changed and before.get(portfolio_id) != after.get(portfolio_id):
            item = Item(portfolio_id=portfolio_id, revision=changed[portfolio_id])
            resting[next_one].append(item)
    if resting:
        await store.histories.outdate(
            [item.portfolio_id for items in resting.values() for item in items], chunk.as_of
        )
    for next_one, items in resting.items():
        unit.enqueue(CALCULATE, Chunk(**next_one._asdict(), items=tuple(items)))
    return stored


def _announce_result(one: Calculated, standing: Standing, chunk: Chunk, unit: Unit) -> None:
    unit.publish(
        RiskCalculated(
            portfolio_id=one.portfolio_id,
            revision=one.revision,
            as_of=chunk.as_of,
            panel_version=chunk.panel_version,
            status=one.status,
            engines={name: result.status for name, result in one.results.items()},
            failed={name: failure.reason for name, failure in one.failed.items()},
            net_asset_value=round(one.net_asset_value, 2),
        ),
        user_id=standing.user_id,
    )


def _announce_failure(
    item: Item, failure: Failure, standing: Standing, chunk: Chunk, unit: Unit
) -> None:
    unit.publish(
        CalculationFailed(
            portfolio_id=item.portfolio_id,
            revision=item.revision,
            as_of=chunk.as_of,
            reason=failure.reason,
            message=failure.message,
        ),
        user_id=standing.user_id,
    )
