"""The other services as the risk engine needs them."""

from risk_engine.clients.onboarding import Onboarding
from risk_engine.clients.panels import PanelGone, Panels

__all__ = ["Onboarding", "PanelGone", "Panels"]
