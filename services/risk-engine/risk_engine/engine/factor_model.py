"""The factor model of a chunk: estimated once for all of its underlyings."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import numpy as np

from risk_engine.domain import Market
from risk_engine.engine.asset_classes import AssetClass
from risk_engine.engine.digests import Digests, digests_of
from risk_engine.engine.durations import Durations, durations_of
from risk_engine.engine.factor_panel import FactorPanel, factor_panel
from risk_engine.engine.loadings import (
    MARKET,
    Betas,
    Estimates,
    Funds,
    estimate,
    funds_of,
    securities_of,
    with_proxies,
)
from risk_engine.engine.memo import Columns, Memo
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
    `market.prices`, underlyings), and `recent` the factors' over the same sessions.
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
    whole, panel, funds = memo.once("factors", digests.factors, lambda: _factors(market))
    found = securities_of(underlyings, market, panel, funds)

    def estimated(rows: IntArray) -> Columns:
        some = found.part(rows)
        estimates = estimate(some, panel)
        durations = durations_of([underlyings.keys[row] for row in rows.tolist()], some, panel)
        own = {name: array for name, array in vars(estimates).items() if name != "betas"}
        return {
            "regressed": some.regressed,
            **own,
            **{_BETAS + name: array for name, array in vars(estimates.betas).items()},
            **{_DURATIONS + name: array for name, array in vars(durations).items()},
        }

    known = memo.rows("estimates", digests.factors, digests.underlyings, estimated)
    estimates = Estimates(
        betas=Betas(**_fields(Betas, known, _BETAS)),
        **_fields(Estimates, known, "", without=("betas",)),
    )
    estimates = with_proxies(estimates, underlyings, funds)
    private, cash = found.are("private"), found.are("cash")
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
        prior_only=~known["regressed"] & ~private & ~cash,
        proxied=private,
        stale=found.stale,
        classes=found.classes,
        betas=estimates.betas,
        durations=Durations(**_fields(Durations, known, _DURATIONS)),
        excess=found.excess,
        recent=panel.returns,
        panel=whole,
    )


def _factors(market: Market) -> tuple[FactorPanel, FactorPanel, Funds]:
    # Over the sessions of the reference, over those of the prices, and the funds told from them.
    whole = factor_panel(market)
    panel = whole.over(market.prices)
    return whole, panel, funds_of(market, panel)


def _fields(
    kind: type[Any], columns: Columns, prefix: str, without: Collection[str] = ()
) -> dict[str, Any]:
    return {
        field.name: columns[prefix + field.name]
        for field in fields(kind)
        if field.name not in without
    }
