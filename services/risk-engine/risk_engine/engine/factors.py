"""The fourth engine: which common forces move an account, and how much of its risk they explain.

Money is in US dollars, short negative. A loading is what one dollar of an underlying gains when the
factor's return is one; RATES is per unit of the 10-year yield, so its loading is minus a duration.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from risk_engine.domain import Failure, Status
from risk_engine.engine.factor_flags import NOT_MODELLED, notes_of, underlying_flags
from risk_engine.engine.factor_model import FACTORS, FactorModel
from risk_engine.engine.factor_positions import (
    QUANTILE,
    Laid,
    laid_out,
    position_table,
    provider_betas,
)
from risk_engine.engine.frame import Frame
from risk_engine.engine.rate_risk import interest_rates
from risk_engine.engine.results import EngineResult, table
from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.quant.factor_risk import Decomposition
from risk_engine.quant.panel import FloatArray, IntArray
from risk_engine.quant.volatility import SESSIONS_PER_YEAR

MODEL_VERSION: Final = "factors-3"

REPORTED: Final[Mapping[str, tuple[str, float]]] = {
    "Market Beta": ("MKT", 1.0),
    "Momentum": ("MOM", 1.0),
    "Value": ("VALUE", 1.0),
    "Growth": ("VALUE", -1.0),
    "Quality": ("QUAL", 1.0),
    "Size": ("SIZE", 1.0),
    "Low Volatility": ("LOWVOL", 1.0),
}
"""The original's names in its order; Growth is the other side of VALUE, which is Value - Growth."""
SPREADS: Final[Mapping[str, tuple[str, float]]] = {
    "Growth-Value Spread": ("VALUE", -1.0),
    "Momentum Spread": ("MOM", 1.0),
    "Size Spread": ("SIZE", 1.0),
    "Quality Spread": ("QUAL", 1.0),
}


def calculate(frame: Frame) -> list[EngineResult | Failure]:
    """Give each account's exposures, betas and decomposed risk, in the order of the books."""
    laid = laid_out(frame)
    flags = underlying_flags(frame.factor_model)
    return [_answer(frame, laid, flags, account) for account in range(len(frame.books))]


def _answer(frame: Frame, laid: Laid, raised: list[list[str]], account: int) -> EngineResult:
    mine = np.flatnonzero(laid.positions.account == account)
    nav = float(frame.net_asset_value[account])
    scale = 1 / nav if nav >= LEAST_AMOUNT else np.nan
    flags = [
        raised[underlying] if known else [NOT_MODELLED]
        for underlying, known in zip(
            laid.positions.underlying[mine].tolist(), laid.modelled[mine].tolist(), strict=True
        )
    ]
    counted = Counter(code for of_one in flags for code in of_one)
    lost = laid.lost[frame.exposures.account[laid.lost] == account]
    counted[NOT_MODELLED] += lost.size
    empty = not mine.size and not lost.size
    exposures = _exposures(frame.factor_model, laid, account, empty=empty)
    return EngineResult(
        status=_status(frame, laid, mine, counted),
        payload={
            "net_asset_value": nav,
            "exposures_of": "net asset value",
            "factors": _factors(frame, laid, account, exposures, scale),
            "reported": _named(REPORTED, exposures, scale),
            "spreads": _named(SPREADS, exposures, scale),
            "market_beta": _market_beta(frame, laid, account, mine, scale, empty=empty),
            "provider_beta": _provider_beta(frame, laid, mine, lost, scale),
            "risk": _risk(laid.everything, account, scale, empty=empty),
            "risk_without_proxies": _risk(laid.without_proxies, account, scale, empty=empty),
            "interest_rates": interest_rates(frame, laid, account, exposures, scale),
            "positions": position_table(frame, laid, mine, flags, scale),
            "counts": _counts(frame, laid, mine, lost),
            "quality": laid.amounts.quality(account, nav),
            "model": _model(frame.factor_model),
            "notes": notes_of(frame, counted, nav_positive=nav >= LEAST_AMOUNT),
        },
    )


def _status(frame: Frame, laid: Laid, mine: IntArray, counted: Mapping[str, int]) -> Status:
    if counted[NOT_MODELLED] and not laid.modelled[mine].any():
        return "insufficient"
    panel = frame.factor_model.panel
    complete = panel.available.all() and panel.rate_source == panel.yield_source == "curve"
    if not complete or counted[NOT_MODELLED] or counted.get("prior_only"):
        return "partial"
    return "stale" if counted.get("stale") else "ok"


def _exposures(model: FactorModel, laid: Laid, account: int, *, empty: bool) -> FloatArray:
    """Return dollars by factor, (FACTORS,); an account that holds nothing is exposed to nothing."""
    dollars = np.full(len(FACTORS), np.nan)
    dollars[model.available] = 0.0 if empty else laid.everything.exposures[account]
    return dollars


def _factors(
    frame: Frame, laid: Laid, account: int, exposures: FloatArray, scale: float
) -> Mapping[str, Any]:
    model = frame.factor_model
    contributions = np.full(len(FACTORS), np.nan)
    contributions[model.available] = laid.everything.factor_contributions[account]
    return table(
        name=list(FACTORS),
        beta=exposures * scale,
        exposure_dollar=exposures,
        volatility=np.sqrt(np.diag(model.covariance) * SESSIONS_PER_YEAR),
        contribution=contributions,
    )


def _named(
    names: Mapping[str, tuple[str, float]], exposures: FloatArray, scale: float
) -> Mapping[str, Any]:
    dollars = np.array([sign * exposures[FACTORS.index(one)] for one, sign in names.values()])
    return table(name=list(names), beta=dollars * scale, exposure_dollar=dollars)


def _market_beta(
    frame: Frame, laid: Laid, account: int, mine: IntArray, scale: float, *, empty: bool
) -> Mapping[str, Any]:
    betas, model = laid.betas, frame.factor_model
    dollars = 0.0 if empty else np.nan
    if laid.modelled[mine].any():
        dollars = float(betas.dollars[account])
    beta, error = dollars * scale, float(betas.error[account]) * scale
    underlying = laid.positions.underlying[mine]
    size = np.abs(np.nan_to_num(laid.positions.weight[mine]))
    imputed = model.proxied[underlying] | np.isnan(model.betas.raw[underlying])
    imputed &= ~model.is_cash[underlying]
    return {
        "beta": beta,
        "exposure_dollar": dollars,
        "standard_error": error,
        "low": beta - QUANTILE * error,
        "high": beta + QUANTILE * error,
        "regressed_beta": float(betas.regressed.beta[account]) * scale,
        "r_squared": float(betas.regressed.r_squared[account]),
        "observations": int(betas.regressed.observations[account]),
        "observed_share": float(betas.observed_share[account]),
        "imputed_share": _share(size[imputed], size),
    }


def _provider_beta(
    frame: Frame, laid: Laid, mine: IntArray, lost: IntArray, scale: float
) -> Mapping[str, Any]:
    # Options by their delta, as everywhere; what has no vendor's beta is told by the counts.
    told = laid.positions.weight[mine] * provider_betas(frame, laid.positions.underlying[mine])
    known = np.isfinite(told)
    return {
        "beta": float(told[known].sum() * scale) if known.any() else np.nan,
        "positions_with_beta": int(known.sum()),
        "positions_total": int(mine.size + lost.size),
    }


def _risk(found: Decomposition, account: int, scale: float, *, empty: bool) -> Mapping[str, Any]:
    def volatility(variance: np.float64) -> float:
        # Of a perfect hedge rounding may leave less than nothing; NaN stays.
        yearly = np.maximum(variance, 0.0) * SESSIONS_PER_YEAR
        return 0.0 if empty else float(np.sqrt(yearly))

    dollars = volatility(found.variance[account])
    share = float(found.specific_share[account])
    return {
        "volatility": dollars * scale,
        "volatility_dollar": dollars,
        "factor_volatility": volatility(found.factor_variance[account]) * scale,
        "specific_volatility": volatility(found.specific_variance[account]) * scale,
        "factor_share": 1 - share,
        "specific_share": share,
    }


def _counts(frame: Frame, laid: Laid, mine: IntArray, lost: IntArray) -> Mapping[str, int]:
    model, underlying = frame.factor_model, laid.positions.underlying[mine]
    modelled = laid.modelled[mine]
    return {
        "open_positions": int(mine.size + lost.size),
        "modelled_positions": int(modelled.sum()),
        "proxied_positions": int((modelled & laid.proxied[mine]).sum()),
        "prior_only_positions": int((modelled & model.prior_only[underlying]).sum()),
    }


def _model(model: FactorModel) -> Mapping[str, Any]:
    panel = model.panel
    return {
        "condition_number": panel.condition,
        "covariance_shrinkage": panel.shrinkage,
        "rate_source": panel.rate_source,
        "yield_source": panel.yield_source,
        "beliefs": {
            "source": model.beliefs.source,
            "shares": model.beliefs.shares,
            "market_deviation": model.beliefs.market,
            "rates_deviation": model.beliefs.rates,
            "style_deviation": model.beliefs.styles,
        },
        "factors": table(
            name=list(FACTORS),
            available=panel.available,
            variance_inflation=panel.inflation,
        ),
        "correlation": _correlation(model.covariance),
    }


def _correlation(covariance: FloatArray) -> FloatArray:
    deviation = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(deviation, deviation))


def _share(some: FloatArray, of: FloatArray) -> float:
    total = float(of.sum())
    return float(some.sum()) / total if total > 0 else np.nan
