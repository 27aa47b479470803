"""The seven services, for a process that hosts them all. The one place that imports several."""

from collections.abc import Mapping

import auth.main
import auth.settings
import chat.main
import chat.settings
import gateway.main
import gateway.settings
import marketdata.main
import marketdata.settings
import onboarding.main
import onboarding.settings
import risk_engine.main
import risk_engine.settings
import scheduler.main
import scheduler.settings
from common.process import Build

BUILD: Mapping[str, Build] = {
    "auth": lambda platform: auth.main.build(auth.settings.Settings(), platform),
    "onboarding": lambda platform: onboarding.main.build(onboarding.settings.Settings(), platform),
    "marketdata": lambda platform: marketdata.main.build(marketdata.settings.Settings(), platform),
    "risk-engine": lambda platform: risk_engine.main.build(
        risk_engine.settings.Settings(), platform
    ),
    "scheduler": lambda platform: scheduler.main.build(scheduler.settings.Settings(), platform),
    "chat": lambda platform: chat.main.build(chat.settings.Settings(), platform),
    "gateway": lambda platform: gateway.main.build(gateway.settings.Settings(), platform),
}
"""How each service is made from what a process lends it; the gateway comes last."""
