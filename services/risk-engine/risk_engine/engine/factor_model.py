"""The factor model of a chunk: estimated once for all of its underlyings."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np

from risk_engine.domain import Market
from risk_engine.engine.asset_classes import AssetClass
from risk_engine.engine.beliefs import Beliefs, beliefs_of
from risk_engine.engine.believed import securities_of
from risk_engine.engine.betas import Betas
from risk_engine.engine.digests import Digests, digests_of
from risk_engine.engine.durations import Durations, durations_of
from risk_engine.engine.factor_panel import FactorPanel, factor_panel
from risk_engine.engine.loadings import Estimates, Funds, estimate, funds_of, with_proxies
from risk_engine.engine.memo import Columns, Memo
from risk_engine.engine.securities import MARKET, NO_FUND
from risk_engine.engine.underlyings import Underlyings
from risk_engine.quant.factors import FACTORS
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

__all__ = ["FACTORS", "FactorModel", "factor_model"]

_BETAS, _DURATIONS = "betas.", "durations."


@dataclass(frozen=True, eq=False)
class FactorModel:
    """Loadings b of underlyings on factors f, and what is left: r = b f + e.

    `returns` are (sessions, factors), of `sessions` (those of `market.reference`); `covariance` is
    (factors, factors) per session; `loadings` and `standard_errors` are (underlyings, factors),
    `specific_variance` per session and the rest (underlyings,). Simple returns as decimals; RATES
    is the change of the 10-year yield as a decimal, so a loading on it is a return per unit of
    yield (minus a duration). NaN where not known, as everything of a factor that is not
    `available`. `prior_only` marks underlyings with too little history to be regressed, `proxied`
    the ones that stand in for a private asset, `stale` those without a recent price. `r_squared` is
    out of the sample. `excess` are the underlyings' returns over cash, (sessions of
    `market.prices`, underlyings), and `recent` the factors' over the same sessions. `prior_funds`
    are the symbols whose betas are the underlyings' prior ones, None where that is no fund's;
    `beliefs` say how widely shares are believed to lie.
    """

    factors: tuple[str, ...]
    sessions: tuple[date, ...]
    returns: FloatArray
    covariance: FloatArray
    loadings: FloatArray
    standard_errors: FloatArray
    specific_variance: FloatArray
    r_squared: FloatArray
    observations: IntArray
    prior_only: BoolArray
    proxied: BoolArray
    stale: BoolArray
    classes: tuple[AssetClass, ...]
    betas: Betas
    durations: Durations
    excess: FloatArray
    recent: FloatArray
    panel: FactorPanel
    beliefs: Beliefs
    prior_funds: tuple[str | None, ...]

    @property
    def market_excess(self) -> FloatArray:
        """Return the market's returns over cash, (sessions of `market.prices`,)."""
        return self.recent[:, MARKET]

    @property
    def is_cash(self) -> BoolArray:
        """Tell what counts as cash, (underlyings,): cash, money market and Treasury bill funds."""
        return np.array([one == "cash" for one in self.classes], dtype=np.bool_)

    @property
    def available(self) -> BoolArray:
        """Tell which factors are known, (factors,)."""
        return self.panel.available


def factor_model(
    underlyings: Underlyings,
    market: Market,
    digests: Digests | None = None,
    memo: Memo | None = None,
) -> FactorModel:
    """Estimate the model of `underlyings` at the close of `market.as_of`."""
    memo, digests = memo or Memo(), digests or digests_of(market, underlyings)
    known = memo.once("factors", digests.factors, lambda: _known(market))
    panel, funds = known.panel, known.funds
    found = securities_of(underlyings, market, panel, funds, known.beliefs)

    def estimated(rows: IntArray) -> Columns:
        some = found.part(rows)
        estimates = estimate(some, panel)
        told = replace(some, regressed=estimates.regressed)
        durations = durations_of([underlyings.keys[row] for row in rows.tolist()], told, panel)
        own = {name: array for name, array in vars(estimates).items() if name != "betas"}
        return {
            **own,
            **{_BETAS + name: array for name, array in vars(estimates.betas).items()},
            **{_DURATIONS + name: array for name, array in vars(durations).items()},
        }

    columns = memo.rows("estimates", digests.factors, digests.underlyings, estimated)
    estimates = Estimates(
        betas=Betas(**_fields(Betas, columns, _BETAS)),
        **_fields(Estimates, columns, "", without=("betas",)),
    )
    estimates = with_proxies(estimates, underlyings, funds)
    private, cash = found.are("private"), found.are("cash")
    whole, symbols = known.whole, {row: symbol for symbol, row in funds.rows.items()}
    return FactorModel(
        factors=FACTORS,
        sessions=whole.sessions,
        returns=whole.returns,
        covariance=whole.covariance,
        loadings=estimates.loadings,
        standard_errors=estimates.errors,
        specific_variance=estimates.specific_variance,
        r_squared=estimates.r_squared,
        observations=estimates.observations,
        prior_only=~estimates.regressed & ~private & ~cash,
        proxied=private,
        stale=found.stale,
        classes=found.classes,
        betas=estimates.betas,
        durations=Durations(**_fields(Durations, columns, _DURATIONS)),
        excess=found.excess,
        recent=panel.returns,
        panel=whole,
        beliefs=known.beliefs,
        prior_funds=tuple(None if one == NO_FUND else symbols[one] for one in found.fund.tolist()),
    )


@dataclass(frozen=True, eq=False)
class _Known:
    """What does not depend on the underlyings.

    Factors over the sessions of the reference and over those of the prices, the funds told from
    them, and what the cross-section says of shares.
    """

    whole: FactorPanel
    panel: FactorPanel
    funds: Funds
    beliefs: Beliefs


def _known(market: Market) -> _Known:
    whole = factor_panel(market)
    panel = whole.over(market.prices)
    funds = funds_of(market, panel)
    return _Known(whole, panel, funds, beliefs_of(market, whole, funds))


def _fields(
    kind: type[Any], columns: Columns, prefix: str, without: Collection[str] = ()
) -> dict[str, Any]:
    return {
        field.name: columns[prefix + field.name]
        for field in fields(kind)
        if field.name not in without
    }
