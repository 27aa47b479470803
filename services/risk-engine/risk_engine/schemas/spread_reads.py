"""What a portfolio leans to, under the names existing clients know."""

from collections.abc import Mapping
from datetime import date
from typing import Literal
from uuid import UUID

from risk_engine.engine.factors import SPREADS
from risk_engine.quant.factors import WINDOW
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer, Money, Number
from risk_engine.schemas.factor_reads import (
    FACTOR_METHOD,
    ShownFactor,
    found_factors,
    known_exposures,
    why_no_factors,
)

STRONG, MODERATE = 0.5, 0.2

Magnitude = Literal["Strong", "Moderate", "Mild"]
RiskLevel = Literal["high", "medium", "low"]

_DIRECTIONS: Mapping[str, tuple[str, str, str]] = {
    "Growth-Value Spread": ("Growth", "Value", "Balanced"),
    "Momentum Spread": ("Momentum", "Contrarian", "Neutral"),
    "Size Spread": ("Small Cap", "Large Cap", "Balanced"),
    "Quality Spread": ("Quality", "Speculative", "Balanced"),
}
"""What a beta above, below and at zero leans to."""


class SpreadFactor(Answer):
    """What a portfolio leans to."""

    name: str
    beta: Number
    exposure_dollar: Money | None
    direction: str
    magnitude: Magnitude
    risk_level: RiskLevel
    explanation: str


class SpreadFactors(Answer):
    """A portfolio's four spreads."""

    available: bool
    portfolio_id: UUID
    calculation_date: date | None
    factors: list[SpreadFactor]
    metadata: dict[str, str | int]


def spread_factors(portfolio_id: UUID, known: Known | None) -> SpreadFactors:
    """Read what the portfolio leans to."""
    found, _ = found_factors(known)
    shown = [] if found is None else known_exposures(found.spreads)
    if found is None or not shown:
        return SpreadFactors(
            available=False,
            portfolio_id=portfolio_id,
            calculation_date=None,
            factors=[],
            metadata={
                "reason": "no_calculations_available"
                if found is None
                else "no_exposures_calculated",
                "detail": why_no_factors(known),
            },
        )
    return SpreadFactors(
        available=True,
        portfolio_id=portfolio_id,
        calculation_date=found.as_of,
        factors=[_spread(one) for one in shown],
        metadata={
            "calculation_method": FACTOR_METHOD,
            "regression_window_days": WINDOW,
            "window_sessions": WINDOW,
            "factors_calculated": len(shown),
            "expected_factors": len(SPREADS),
        },
    )


def _spread(one: ShownFactor) -> SpreadFactor:
    above, below, level = _DIRECTIONS[one.name]
    direction = above if one.beta > 0 else below if one.beta < 0 else level
    size = abs(one.beta)
    magnitude: Magnitude = "Strong" if size > STRONG else "Moderate" if size > MODERATE else "Mild"
    risk: RiskLevel = "high" if size > STRONG else "medium" if size > MODERATE else "low"
    return SpreadFactor(
        name=one.name,
        beta=one.beta,
        exposure_dollar=one.exposure_dollar,
        direction=direction,
        magnitude=magnitude,
        risk_level=risk,
        explanation=(
            f"When the spread returns 1 %, with the market unmoved, the portfolio is expected to "
            f"return {one.beta:+.2f} %."
        ),
    )
