"""Implied volatility of this market: known, moving with it, and free of static arbitrage.

The surface is the SSVI of Gatheral and Jacquier ("Arbitrage-free SVI volatility surfaces", 2014)
with its power law at one half: no butterfly costs less than nothing while
`eta * (1 + abs(rho)) <= 2`, and no calendar spread while the variance at the money grows.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from simulator.draws import Floats
from simulator.variance import implied_variance


class Smile(NamedTuple):
    """How an underlying's surface is bent."""

    rho: float
    """Its slant: below 0, low strikes are dearer."""
    eta: float
    """Its strength."""


SMILES = {
    "index": Smile(-0.7, 0.85),
    "etf": Smile(-0.6, 0.75),
    "stock": Smile(-0.35, 0.70),
}
BOND_SMILE = Smile(-0.1, 0.6)
"""Of funds that move with interest rates above all: these leap up as often as they fall."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """One underlying's surface at the close of a session."""

    spot: float
    dividend_yield: float
    rates: tuple[Floats, Floats]
    """Maturities in years, and continuously compounded Treasury yields there."""
    means: Floats
    """Mean variances per year of what moves the underlying, one after the other."""
    ratios: Floats
    """Variances at the close over the mean ones."""
    smile: Smile

    def rate(self, years: Floats) -> Floats:
        """Return the rate to a maturity, a decimal per year."""
        return np.interp(years, *self.rates)

    def forward(self, years: Floats) -> Floats:
        """Return the price for delivery then."""
        return np.asarray(self.spot * np.exp((self.rate(years) - self.dividend_yield) * years))

    def total_variance(self, log_moneyness: Floats, years: Floats) -> Floats:
        """Return implied variance times years at ln(strike / forward)."""
        years = np.asarray(years, np.float64)
        theta = implied_variance(self.means, self.ratios, years[..., None]).sum(axis=-1)
        rho, eta = self.smile
        bend = eta / np.sqrt(theta * (1 + theta)) * log_moneyness
        total: Floats = theta / 2 * (1 + rho * bend + np.sqrt((bend + rho) ** 2 + 1 - rho**2))
        return total

    def implied_volatility(self, strike: Floats, years: Floats) -> Floats:
        """Return the annual volatility that options of a strike and maturity are priced with."""
        log_moneyness = np.log(strike / self.forward(years))
        return np.asarray(np.sqrt(self.total_variance(log_moneyness, years) / years))
