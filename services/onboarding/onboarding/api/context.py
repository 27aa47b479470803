"""What the routes are given besides the request."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from common.unit_of_work import UnitOfWork
from onboarding.clients import RiskEngine


@dataclass(frozen=True)
class Policy:
    """What the deployment decides about imports."""

    deterministic_ids: bool


def policy_of(request: Request) -> Policy:
    """Return the deployment's decisions."""
    policy: Policy = request.app.state.policy
    return policy


def unit_of_work_of(request: Request) -> UnitOfWork:
    """Return what opens transactions, for routes that must not hold one while they wait."""
    unit_of_work: UnitOfWork = request.app.state.unit_of_work
    return unit_of_work


def risk_engine_of(request: Request) -> RiskEngine:
    """Return the client of risk-engine."""
    risk_engine: RiskEngine = request.app.state.risk_engine
    return risk_engine


CurrentPolicy = Annotated[Policy, Depends(policy_of)]
Units = Annotated[UnitOfWork, Depends(unit_of_work_of)]
Valuations = Annotated[RiskEngine, Depends(risk_engine_of)]
