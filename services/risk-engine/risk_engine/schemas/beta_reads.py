"""Market betas of positions and portfolios, under the names existing clients know."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, TypeVar
from uuid import UUID

from pydantic import Field

from risk_engine.quant.market_beta import WINDOW
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer, Number
from risk_engine.schemas.factor_reads import found_factors, why_no_factors
from risk_engine.schemas.factors import FactorsOut, PositionFactors
from risk_engine.schemas.summary import Summary, valuation_of

_REGRESSION: Final[Mapping[str, str]] = {"model_type": "single_factor_wls_shrunk_to_prior"}


class BetaPair(Answer):
    """A position's beta by a data vendor and by its own returns."""

    symbol: str
    position_id: UUID
    market_beta: Number | None = Field(description="The data vendor's")
    calculated_beta: Number | None
    beta_r_squared: Number | None
    calculation_date: date | None
    observations: int | None
    beta_difference: Number | None = Field(description="calculated_beta - market_beta")
    standard_error: Number | None


class BetaComparison(Summary):
    """Betas by a data vendor beside calculated ones, of all positions."""

    portfolio_id: UUID
    positions: list[BetaPair] | None
    metadata: dict[str, int | str]


class CalculatedBeta(Answer):
    """A portfolio's beta as existing clients read it."""

    beta_calculated_90d: Number
    beta_calculated_90d_r_squared: Number | None
    beta_calculated_90d_observations: int | None
    standard_error: Number | None
    low: Number | None
    high: Number | None


class LegacyBeta(Answer):
    """The same under its oldest names."""

    market_beta_weighted: Number
    market_beta_r_squared: Number | None
    market_beta_observations: int | None
    market_beta_direct: Number | None


class VendorBeta(Answer):
    """A portfolio's beta of the data vendor's betas."""

    beta_provider_1y: Number
    positions_with_beta: int
    positions_total: int
    coverage_percentage: Number = Field(
        description="Open positions whose underlying has a vendor's beta, of all open ones"
    )


class Beta(Answer):
    """What all answers with one beta share."""

    available: bool
    portfolio_id: UUID
    calculation_date: date | None
    metadata: dict[str, str | int]


BetaT = TypeVar("BetaT", bound=Beta)


class MarketBetaAnswer(Beta):
    """Beta under its oldest names."""

    data: LegacyBeta | None


class CalculatedBetaAnswer(Beta):
    """Beta from the positions' own returns."""

    data: CalculatedBeta | None


class ProviderBetaAnswer(Beta):
    """Beta from the data vendor's betas."""

    data: VendorBeta | None


def beta_comparison(portfolio_id: UUID, known: Known | None) -> BetaComparison:
    """Read betas of all positions, closed ones included, by symbol and id."""
    found, fields = found_factors(known)
    valuation = valuation_of(known)
    if found is None or valuation is None:
        return BetaComparison(
            **fields | {"available": False, "stale": False},
            portfolio_id=portfolio_id,
            positions=None,
            metadata={"error": why_no_factors(known)},
        )
    by_id = {one.position_id: one for one in found.positions}
    pairs = [
        _pair(one.symbol, one.position_id, by_id.get(one.position_id), found.as_of)
        for one in sorted(valuation.positions, key=lambda one: (one.symbol, one.position_id))
    ]
    return BetaComparison(
        **fields,
        portfolio_id=portfolio_id,
        positions=pairs,
        metadata={
            "total_positions": len(pairs),
            "positions_with_market_beta": sum(one.market_beta is not None for one in pairs),
            "positions_with_calculated_beta": sum(one.calculated_beta is not None for one in pairs),
        },
    )


def market_beta(portfolio_id: UUID, known: Known | None) -> MarketBetaAnswer:
    """Read the portfolio's beta under its oldest names."""

    def told(found: FactorsOut) -> LegacyBeta | None:
        beta = found.market_beta
        if beta.beta is None:
            return None
        return LegacyBeta(
            market_beta_weighted=beta.beta,
            market_beta_r_squared=beta.r_squared,
            market_beta_observations=beta.observations,
            market_beta_direct=beta.regressed_beta,
        )

    metadata = {"calculation_method": "equity_weighted_average", **_REGRESSION}
    return _answer(MarketBetaAnswer, portfolio_id, known, told, metadata)


def calculated_beta(portfolio_id: UUID, known: Known | None) -> CalculatedBetaAnswer:
    """Read the portfolio's beta of its positions' own returns."""

    def told(found: FactorsOut) -> CalculatedBeta | None:
        beta = found.market_beta
        if beta.beta is None:
            return None
        return CalculatedBeta(
            beta_calculated_90d=beta.beta,
            beta_calculated_90d_r_squared=beta.r_squared,
            beta_calculated_90d_observations=beta.observations,
            standard_error=beta.standard_error,
            low=beta.low,
            high=beta.high,
        )

    metadata: dict[str, str | int] = {
        "calculation_method": "equity_weighted_average_of_position_betas",
        **_REGRESSION,
        "window_days": WINDOW,
        "window_sessions": WINDOW,
    }
    return _answer(CalculatedBetaAnswer, portfolio_id, known, told, metadata)


def provider_beta(portfolio_id: UUID, known: Known | None) -> ProviderBetaAnswer:
    """Read the portfolio's beta of the data vendor's betas."""

    def told(found: FactorsOut) -> VendorBeta | None:
        beta = found.provider_beta
        if beta.beta is None:
            return None
        return VendorBeta(
            beta_provider_1y=beta.beta,
            positions_with_beta=beta.positions_with_beta,
            positions_total=beta.positions_total,
            coverage_percentage=100 * beta.positions_with_beta / beta.positions_total,
        )

    metadata = {
        "calculation_method": "equity_weighted_average_of_company_profile_betas",
        "data_source": "company_profile_table",
        "typical_period": "1_year",
    }
    return _answer(ProviderBetaAnswer, portfolio_id, known, told, metadata)


def _pair(symbol: str, position_id: UUID, told: PositionFactors | None, as_of: date) -> BetaPair:
    if told is None:
        return BetaPair(
            symbol=symbol,
            position_id=position_id,
            market_beta=None,
            calculated_beta=None,
            beta_r_squared=None,
            calculation_date=None,
            observations=None,
            beta_difference=None,
            standard_error=None,
        )
    both = told.beta is not None and told.provider_beta is not None
    return BetaPair(
        symbol=symbol,
        position_id=position_id,
        market_beta=told.provider_beta,
        calculated_beta=told.beta,
        beta_r_squared=told.beta_r_squared,
        calculation_date=as_of,
        observations=told.beta_observations,
        beta_difference=(told.beta or 0.0) - (told.provider_beta or 0.0) if both else None,
        standard_error=told.beta_error,
    )


def _answer(
    answer: type[BetaT],
    portfolio_id: UUID,
    known: Known | None,
    told: Callable[[FactorsOut], Answer | None],
    metadata: Mapping[str, str | int],
) -> BetaT:
    found, _ = found_factors(known)
    data = None if found is None else told(found)
    return answer.model_validate(
        {
            "available": data is not None,
            "portfolio_id": portfolio_id,
            "calculation_date": None if found is None else found.as_of,
            "data": data,
            "metadata": {"error": why_no_factors(known)} if data is None else metadata,
        }
    )
