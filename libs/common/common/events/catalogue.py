"""Every contract by its routing key: what is not listed here does not exist on the wire."""

from common.events.auth import SessionRevoked, UserRegistered
from common.events.base import Command, Event, Message
from common.events.chat import InsightGenerated
from common.events.marketdata import PricesIncomplete, PricesReady, SecuritiesEnriched
from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.risk_engine import CalculationFailed, CalculationProgressed, RiskCalculated
from common.events.scheduler import RunCompleted, RunJob, RunRequested

EVENTS: tuple[type[Event], ...] = (
    UserRegistered,
    SessionRevoked,
    PortfolioCreated,
    PortfolioChanged,
    PortfolioDeleted,
    SecuritiesEnriched,
    PricesReady,
    PricesIncomplete,
    RiskCalculated,
    CalculationFailed,
    CalculationProgressed,
    RunRequested,
    RunCompleted,
    InsightGenerated,
)

COMMANDS: tuple[type[Command], ...] = (RunJob,)

_BY_ROUTING_KEY: dict[str, type[Message]] = {
    contract.routing_key(): contract for contract in (*EVENTS, *COMMANDS)
}


def message_class(routing_key: str) -> type[Message] | None:
    """Return the contract of a routing key, or None when there is none."""
    return _BY_ROUTING_KEY.get(routing_key)
