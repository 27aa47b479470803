"""What a change of interest rates does to an account."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np

from risk_engine.engine.asset_classes import fund_durations
from risk_engine.engine.factor_panel import RATES_FUND
from risk_engine.engine.factor_positions import Laid
from risk_engine.engine.frame import Frame
from risk_engine.engine.securities import RATES
from risk_engine.quant.fixed_income import rate_pnl
from risk_engine.quant.panel import FloatArray

RateRiskReason = Literal["no_position_modelled", "yield_not_known"]
ONE_PERCENT: Final = 0.01


def interest_rates(
    frame: Frame,
    laid: Laid,
    account: int,
    exposures: FloatArray,
    scale: float,
) -> Mapping[str, Any]:
    """Return an account's sensitivity to the 10-year yield.

    Bond funds count by their published duration and convexity, everything else by its loading on
    RATES. `duration` is in years of net asset value; profits are signed. An account that holds
    nothing has none of it; one of whose holdings none is modelled, or that depends on a yield
    nobody knows, has NaN and a `reason`.
    """
    durations, model = frame.factor_model.durations, frame.factor_model
    mine = np.flatnonzero(laid.positions.account == account)
    some = mine[laid.modelled[mine]]
    underlying, dollars = laid.positions.underlying[some], laid.positions.weight[some]
    published = durations.published[underlying]
    of_bonds = dollars[published]
    loading = model.loadings[underlying[~published], RATES]

    def pnl(change: float) -> float:
        bonds = rate_pnl(
            of_bonds,
            durations.duration[underlying[published]],
            durations.convexity[underlying[published]],
            np.array(change),
        )
        return float(bonds.sum() + (dollars[~published] * loading).sum() * change) + unknown

    lost = frame.exposures.account[laid.lost]
    held = len(mine) + int((lost == account).sum())
    # A sum over nothing is 0, which would be a number.
    unknown = np.nan if held and not len(some) else 0.0
    bond_dollars = float(of_bonds.sum()) + unknown
    weighted = float((of_bonds * durations.duration[underlying[published]]).sum())
    years = weighted - float((dollars[~published] * loading).sum()) + unknown
    reason: RateRiskReason | None = None
    if np.isnan(years):
        reason = "no_position_modelled" if np.isnan(unknown) else "yield_not_known"
    return {
        "duration": years * scale,
        "dollar_duration": years,
        "bond_exposure_dollar": bond_dollars,
        "bond_duration": weighted / bond_dollars if bond_dollars else np.nan,
        "pnl_per_basis_point": -years * ONE_PERCENT**2,
        "pnl_up_100bp": pnl(ONE_PERCENT),
        "pnl_down_100bp": pnl(-ONE_PERCENT),
        "fund": RATES_FUND,
        "beta_to_fund": -float(exposures[RATES]) * scale / fund_durations()[RATES_FUND].duration,
        "reason": reason,
    }
