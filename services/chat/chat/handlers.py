"""What chat does when results are calculated: insights about older ones have aged."""

from chat.repository import Store
from common.events.risk_engine import RiskCalculated
from common.service import Subscriptions
from common.unit_of_work import Unit


async def age_insights(event: RiskCalculated, store: Store, unit: Unit) -> None:
    """Remember the newest results, by which an insight knows whether it is about older ones."""
    await store.keep_newest(
        event.portfolio_id,
        revision=event.revision,
        as_of=event.as_of,
        panel_version=event.panel_version,
    )


SUBSCRIPTIONS: Subscriptions = ((RiskCalculated, age_insights),)
