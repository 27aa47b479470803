"""The factor model of a chunk: estimated once for all of its underlyings."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from risk_engine.domain import Market
from risk_engine.engine.underlyings import Underlyings
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray

FACTORS = ("MKT", "RATES", "SIZE", "VALUE", "MOM", "QUAL", "LOWVOL", "CREDIT")


@dataclass(frozen=True, eq=False)
class FactorModel:
    """Loadings b of underlyings on factors f, and what is left: r = b f + e.

    `returns` are (sessions, factors), of `sessions` (those of `market.reference`); `covariance` is
    (factors, factors) per session; `loadings` and `standard_errors` are (underlyings, factors),
    `specific_variance` per session and the rest (underlyings,). Simple returns as decimals; RATES
    is the change of the 10-year yield as a decimal, so a loading on it is a return per unit of
    yield (minus a duration). NaN where not known. `prior_only` marks underlyings with too little
    history to be regressed, `proxied` the ones that stand in for a private asset.
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


def factor_model(underlyings: Underlyings, market: Market) -> FactorModel:
    """Estimate the model of `underlyings` at the close of `market.as_of`."""
    count, factors = len(underlyings), len(FACTORS)
    sessions = market.reference.sessions
    return FactorModel(
        factors=FACTORS,
        sessions=sessions,
        returns=np.full((len(sessions), factors), np.nan),
        covariance=np.full((factors, factors), np.nan),
        loadings=np.full((count, factors), np.nan),
        standard_errors=np.full((count, factors), np.nan),
        specific_variance=np.full(count, np.nan),
        r_squared=np.full(count, np.nan),
        observations=np.zeros(count, dtype=np.int64),
        prior_only=np.ones(count, dtype=np.bool_),
        proxied=np.array([kind == "private" for kind in underlyings.kinds], dtype=np.bool_),
    )
