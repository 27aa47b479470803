"""The payload of the engine `market_risk`. Losses are positive; a negative risk is a hedge's."""

from collections.abc import Mapping
from datetime import date
from math import sqrt
from typing import Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from risk_engine.engine.valuation import LEAST_AMOUNT
from risk_engine.schemas.base import IN_NO_TOTAL, WHY_NO_AMOUNTS, Answer, Engine, Money, Number
from risk_engine.schemas.exposure import Parts

Scope = Literal["all", "without_proxied"]
Method = Literal[
    "filtered_historical",
    "historical",
    "historical_age_weighted",
    "parametric_normal",
    "parametric_student_t",
    "cornish_fisher",
    "monte_carlo",
]
Zone = Literal["green", "yellow", "red"]

HORIZONS = (1, 10)


class MeasureOut(Answer):
    """Value at risk and expected shortfall by one method; money is US dollars."""

    scope: Scope = Field(description="`without_proxied` leaves out what has no own history")
    method: Method
    confidence: Number = Field(description="0.99: one day in a hundred is worse")
    horizon_days: int = Field(description="Sessions; 10 is the root of 10 times one")
    value_at_risk: Money | None
    expected_shortfall: Money | None = Field(description="Mean loss beyond the value at risk")
    value_at_risk_share: Number | None = Field(description="Of net asset value")
    expected_shortfall_share: Number | None = Field(description="Of net asset value")


class ScenariosOut(Answer):
    """The history that is repeated."""

    count: int
    first: date | None
    last: date | None
    volatility_moves: bool = Field(
        description="Whether implied volatility moves with the volatility index in the scenarios"
    )


class LiquidityAdjustedOut(Answer):
    """Filtered historical risk while positions are sold evenly at 20 % of their volume."""

    value_at_risk: list[Money | None] = Field(description="At 95, 97.5 and 99 %")
    expected_shortfall: list[Money | None] = Field(description="At 95, 97.5 and 99 %")
    positions_without_volume: int = Field(description="Counted as sold within one session")


class PositionRiskOut(Answer):
    """What a position adds to its book's risk over one session; negative is a hedge."""

    position_id: UUID
    symbol: str
    dollar_delta: Money | None = Field(description="Signed; an option's quantity x delta x price")
    modelled: bool
    proxied: bool = Field(description="Moves as the factor model says")
    value_at_risk: Money | None = Field(description="Part of the book's; the parts add up to it")
    expected_shortfall: Money | None = Field(description="Mean loss on the book's worst days")
    incremental_value_at_risk: Money | None = Field(
        description="What the book's falls by without the position, revalued"
    )
    incremental_expected_shortfall: Money | None
    normal_value_at_risk: Money | None = Field(description="Part of the parametric normal one")
    normal_marginal_value_at_risk: Number | None = Field(
        description="Of the parametric normal one, per dollar more of dollar delta"
    )
    reason: str | None = Field(None, description=WHY_NO_AMOUNTS)


class FactorRiskOut(Answer):
    """What a factor adds to the book's risk over one session; SPECIFIC is everything else."""

    factor: str
    exposure: Money | None = Field(description="Dollars that move one for one with the factor")
    value_at_risk: Money | None
    expected_shortfall: Money | None
    normal_value_at_risk: Money | None


class ComponentsOut(Answer):
    """Filtered historical risk taken apart, at one confidence."""

    confidence: Number
    positions: list[PositionRiskOut]
    factors: list[FactorRiskOut]


class WorstDayOut(Answer):
    """A past session repeated with what is held now; a loss is negative."""

    session: date
    filtered_pnl: Money = Field(description="In tomorrow's volatility")
    pnl: Money = Field(description="As it was")


class CoverageOut(Answer):
    """How often a day was worse than its value at risk, and how likely that is."""

    confidence: Number
    expected: Number
    exceedances: int | None
    unconditional_p: Number | None = Field(description="Kupiec: their number")
    independence_p: Number | None = Field(description="Christoffersen: one after the other")
    conditional_p: Number | None = Field(description="Both")


class ShortfallTestOut(Answer):
    """Acerbi and Szekely's second test: below 0 if losses beyond VaR are more than ES says."""

    confidence: Number
    statistic: Number | None
    p: Number | None = Field(description="Simulated chance of a statistic as low")


class BacktestDayOut(Answer):
    """A day of the backtest; P&L is of today's holdings, risk was forecast at 99 %."""

    session: date
    pnl: Money
    value_at_risk: Money
    expected_shortfall: Money


class BacktestOut(Answer):
    """The filtered forecast of today's holdings against each of the last days.

    Only of what has a history of its own.
    """

    scope: Scope = Field(
        "all", description="`without_proxied` where a position has no own history and is left out"
    )
    days: int
    first: date
    last: date
    coverage: list[CoverageOut]
    basel_zone: Zone | None = Field(description="Exceedances at 99 %: 0-4, 5-9, 10 and more")
    capital_multiplier: Number | None = Field(description="Basel MAR32, 1.5 to 2")
    expected_shortfall: ShortfallTestOut
    worst_days: list[BacktestDayOut]


class Shares(Parts):
    """Gross value by what is known of it; of results before version 3 stale is in the others."""

    unmodelled: Number | None = Field(None, description="In no risk number")
    not_modelled: Number | None = Field(description="`unmodelled`, as it was called before")

    @model_validator(mode="before")
    @classmethod
    def _by_either_name(cls, parts: Any) -> Any:
        if not isinstance(parts, Mapping):
            return parts
        names = ("unmodelled", "not_modelled")
        said = next((parts[name] for name in names if name in parts), None)
        return {**parts, **dict.fromkeys(names, said)}


class QualityOut(Answer):
    """How much of the totals is known; the parts of NAV add up to the gross leverage."""

    of_net_asset_value: Shares
    of_gross_value: Shares
    unsupported_currency_positions: int = Field(0, description=IN_NO_TOTAL)


class NoteOut(Answer):
    """Something a reader of the numbers must know."""

    code: str
    message: str


class MarketRiskOut(Engine):
    """What a portfolio may lose, what that comes from, and whether forecasts held."""

    engine: Literal["market_risk"]
    net_asset_value: Money
    shares_of: str
    scenarios: ScenariosOut
    measures: list[MeasureOut]
    liquidity_adjusted: LiquidityAdjustedOut
    components: ComponentsOut | None
    worst_days: list[WorstDayOut] | None = Field(description="Worst first")
    backtest: BacktestOut | None
    quality: QualityOut
    notes: list[NoteOut]

    @model_validator(mode="before")
    @classmethod
    def _with_rows(cls, payload: Any) -> Any:
        """Make rows of the measures, which are kept as (scopes, methods, confidences)."""
        kept = payload["measures"]
        if not isinstance(kept, Mapping):
            return payload
        nav = payload["net_asset_value"]
        whole = nav if nav >= LEAST_AMOUNT else None
        rows = [
            _row(kept, (scope, method, place), horizon, whole)
            for scope in range(len(kept["scopes"]))
            for method in range(len(kept["methods"]))
            for place in range(len(kept["confidences"]))
            for horizon in HORIZONS
        ]
        return {**payload, "measures": rows}


def _row(
    kept: Mapping[str, Any], at: tuple[int, int, int], horizon: int, whole: float | None
) -> dict[str, Any]:
    scope, method, place = at
    row = {
        "scope": kept["scopes"][scope],
        "method": kept["methods"][method],
        "confidence": kept["confidences"][place],
        "horizon_days": horizon,
    }
    for name in ("value_at_risk", "expected_shortfall"):
        one_day = kept[name][scope][method][place]
        amount = None if one_day is None else one_day * sqrt(horizon)
        row[name] = amount
        row[f"{name}_share"] = None if amount is None or whole is None else amount / whole
    return row
