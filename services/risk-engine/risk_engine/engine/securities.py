"""Underlyings as the factor model estimates them: their returns, and what is believed beforehand.

Nothing depends on who else is estimated: beliefs come from the reference funds, from files and from
the market's cross-section, never from what happens to be held.
"""

from dataclasses import dataclass

import numpy as np

from risk_engine.engine.asset_classes import AssetClass
from risk_engine.quant.factors import FACTORS, PRIOR_DEVIATIONS
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

MARKET, RATES = FACTORS.index("MKT"), FACTORS.index("RATES")
NO_FUND = -1


@dataclass(frozen=True, eq=False)
class Securities:
    """What is to be estimated: excess returns are (sessions, securities), the rest (securities,).

    `prior` loadings and the `deviation` of true ones about them are (securities, factors);
    `prior_error` is what is not known of the prior market beta itself. `fund` is the place of the
    sector's fund whose beta that is, NO_FUND where it is not a fund's, among the columns of
    `fund_excess`, (sessions, funds). `regressed` and `beta_regressed` say whose history suffices
    for the factors and for the market alone; `usual_specific` is the specific volatility per year
    of one whose history does not; `stale` whose last price is too old; `is_market` which is the
    fund that the market's factor is made of.
    """

    excess: FloatArray
    classes: tuple[AssetClass, ...]
    prior: FloatArray
    prior_error: FloatArray
    deviation: FloatArray
    fund: IntArray
    fund_excess: FloatArray
    usual_specific: FloatArray
    regressed: BoolArray
    beta_regressed: BoolArray
    stale: BoolArray
    is_market: BoolArray

    def part(self, rows: IntArray) -> "Securities":
        """Return some of the securities."""
        return Securities(
            excess=self.excess[:, rows],
            classes=tuple(self.classes[row] for row in rows.tolist()),
            prior=self.prior[rows],
            prior_error=self.prior_error[rows],
            deviation=self.deviation[rows],
            fund=self.fund[rows],
            fund_excess=self.fund_excess,
            usual_specific=self.usual_specific[rows],
            regressed=self.regressed[rows],
            beta_regressed=self.beta_regressed[rows],
            stale=self.stale[rows],
            is_market=self.is_market[rows],
        )

    def are(self, wanted: AssetClass) -> BoolArray:
        """Tell which securities are of a class, (securities,)."""
        return np.array([one == wanted for one in self.classes], dtype=np.bool_)

    def over_fund(self, rows: IntArray) -> FloatArray:
        """Return some securities' returns over their sectors' funds, (sessions, rows).

        Over cash where there is no such fund.
        """
        fund = self.fund[rows]
        answer = self.excess[:, rows].copy()
        answer[:, fund != NO_FUND] -= self.fund_excess[:, fund[fund != NO_FUND]]
        return answer


def default_deviations(count: int) -> FloatArray:
    """Return what is believed without a cross-section, (count, factors)."""
    return np.tile(np.array(PRIOR_DEVIATIONS), (count, 1))
