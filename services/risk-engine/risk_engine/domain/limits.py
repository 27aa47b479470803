"""What an operator does not want accounts to exceed."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ConvexityLimits:
    """How much convexity an account may have, as fractions of its net asset value.

    Gross dollar gamma is the change of the dollar delta for 1 % of every underlying, gross vega the
    change of value for one volatility point of each; both are added up without regard to sign.
    """

    gross_dollar_gamma: float = 0.02
    gross_vega: float = 0.005


DEFAULT_LIMITS: Final = ConvexityLimits()
