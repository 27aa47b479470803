"""Variance to come: what the options of this market are priced with."""

import numpy as np

from simulator.draws import Floats

REVERSION = 5.0
"""How fast variance is expected to return to its mean, per year: half of the way in 35 sessions."""
PREMIUM = 1.15
"""Implied volatility over what is expected: sellers of insurance are paid."""


def implied_variance(mean: Floats, ratio: Floats, years: Floats) -> Floats:
    """Return the total variance that options of each maturity imply at the money.

    `mean` is a mean variance per year and `ratio` today's over it; all three broadcast. Grows with
    `years` (above 0) everywhere, so no calendar spread is free.
    """
    ahead = years + (ratio - 1) * -np.expm1(-REVERSION * years) / REVERSION
    total: Floats = PREMIUM**2 * mean * ahead
    return total
