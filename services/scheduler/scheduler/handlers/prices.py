"""Prices are ready, or as ready as they get: a run's items go on to be calculated."""

from common.events.marketdata import PricedItem, PricesIncomplete, PricesReady
from common.unit_of_work import Unit
from scheduler.domain import Coverage
from scheduler.handlers.lifecycle import join_flow, learn
from scheduler.repository import Store


async def note_prices(event: PricesReady | PricesIncomplete, store: Store, unit: Unit) -> None:
    """Write down the coverage of a run's items."""
    run = await join_flow(store, unit, {item.portfolio_id: item.revision for item in event.items})
    if run is None:
        return
    await store.runs.lock(run.run_id)
    await learn(store, unit, run, event.as_of)
    sufficient = isinstance(event, PricesReady)
    await store.items.note_coverage(
        run.run_id,
        {item.portfolio_id: _coverage(item, sufficient=sufficient) for item in event.items},
        panel_version=event.panel_version,
        now=unit.now,
    )


def _coverage(item: PricedItem, *, sufficient: bool) -> Coverage:
    return Coverage(
        symbols=item.symbols,
        coverage=item.coverage,
        missing=tuple((lack.symbol, lack.reason, lack.message) for lack in item.missing),
        sufficient=sufficient,
    )
