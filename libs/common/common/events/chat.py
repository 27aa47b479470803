"""What chat says."""

from uuid import UUID

from common.events.base import Event


class InsightGenerated(Event):
    """An insight about a portfolio was written."""

    NAME = "insight.generated"

    insight_id: UUID
    portfolio_id: UUID
    title: str
