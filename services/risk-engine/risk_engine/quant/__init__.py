"""The arithmetic of risk: arrays in, arrays out. No clock, no logger, no I/O, no global state.

A library by itself: numpy and scipy are all it needs. Its public surface is every function and
class of its modules without a leading underscore; import them from their module, one subject each:

- prices and returns: `panel`, `returns`, `sessions`, `rolling`, `blocks`
- accounts: `valuation`, `pnl`, `lots`, `expiry`, `performance`, `money_weighted`
- options and rates: `pricing`, `american`, `early_exercise`, `greeks`, `implied_volatility`,
  `volatility_surface`, `curve`, `fixed_income`
- how things move: `volatility`, `ranges`, `har`, `covariance`, `correlation`, `clusters`,
  `diversification`, `regression`, `market_beta`, `factors`, `shrinkage`
- what is at stake: `exposure`, `concentration`, `sectors`, `liquidity`, `margin`, `factor_risk`
- what may be lost: `value_at_risk`, `parametric`, `filtered_simulation`, `monte_carlo`,
  `gain_tables`, `revaluation`, `components`, `backtest`
- what would be lost: `stress`, `conditional`, `stressed_prices`, `stressed_options`,
  `stress_attribution`, `reverse_stress`, `replay`

Engines need most of it. The rest is what a subject is expected to have: `BESIDE_THE_ENGINES`.
"""

from collections.abc import Mapping
from typing import Final

BESIDE_THE_ENGINES: Final[Mapping[str, tuple[str, ...]]] = {
    "covariance": (
        *("ewma_step", "garch_step", "kish", "ledoit_wolf_identity"),
        *("pairwise_covariance", "sample_covariance"),
    ),
    "curve": ("continuous_rate",),
    "filtered_simulation": ("filtered_returns",),
    "fixed_income": ("bond_measures",),
    "har": ("past_forecasts",),
    "lots": ("match_lots",),
    "money_weighted": ("dietz_returns", "time_weighted_returns"),
    "pricing": ("on_futures", "vanna_and_volga"),
    "ranges": ("garman_klass_volatility", "yang_zhang_volatility"),
    "regression": ("homoskedastic_covariance",),
    "shrinkage": ("choose_prior",),
}
"""By module, what no engine calls: tested against oracles like all of it, for whoever needs it."""
