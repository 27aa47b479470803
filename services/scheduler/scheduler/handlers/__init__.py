"""What the scheduler does when something happens. No SQL here."""

from common.events.marketdata import PricesIncomplete, PricesReady
from common.events.onboarding import PortfolioChanged, PortfolioCreated, PortfolioDeleted
from common.events.risk_engine import CalculationFailed, RiskCalculated
from common.events.scheduler import RunJob
from common.service import Subscriptions
from scheduler.handlers.commands import run_job
from scheduler.handlers.outcomes import end_as_calculated, end_as_failed
from scheduler.handlers.portfolios import follow_book, forget_portfolio
from scheduler.handlers.prices import note_prices

SUBSCRIPTIONS: Subscriptions = (
    (PortfolioCreated, follow_book),
    (PortfolioChanged, follow_book),
    (PortfolioDeleted, forget_portfolio),
    (PricesReady, note_prices),
    (PricesIncomplete, note_prices),
    (RiskCalculated, end_as_calculated),
    (CalculationFailed, end_as_failed),
    (RunJob, run_job),
)
