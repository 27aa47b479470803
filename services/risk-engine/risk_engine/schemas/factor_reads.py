"""What is read of the engine `factors` under the names existing clients know."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from pydantic import Field

from risk_engine.engine.factors import REPORTED
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer, Money, Number
from risk_engine.schemas.factors import FactorName, FactorsOut, NamedExposure, PositionFactors
from risk_engine.schemas.summary import Summary, read, summary, valuation_of

FACTOR_METHOD = "joint_ridge_regression_on_residual_factors"
CALCULATED, PROVIDER = "Market Beta (Calculated 90d)", "Market Beta (Provider 1y)"


@dataclass(frozen=True, slots=True)
class Page:
    """Which positions are wanted; no symbols are all."""

    limit: int
    offset: int
    symbols: Collection[str]


class DataQuality(Answer):
    """Why there is nothing to show."""

    flag: str
    message: str
    positions_analyzed: int = 0
    positions_total: int = 0
    positions_skipped: int = 0
    data_days: int = Field(0, description="Sessions the account's market beta was estimated on")


class Staleness(Answer):
    """Of which session the numbers are, and whether they are of today's book."""

    snapshot_date: date
    age_hours: int = Field(description="Whole hours since the end of that day, UTC")
    is_stale: bool = Field(description="Of an older book, or the last attempt failed")
    is_current: bool


class Factors(Summary):
    """Everything the engine found of a portfolio."""

    portfolio_id: UUID
    data: FactorsOut | None


class ShownFactor(Answer):
    """A factor as clients show it: known, or not listed."""

    name: str
    beta: Number
    exposure_dollar: Money | None


class FactorExposures(Summary):
    """A portfolio's exposures by the original's names."""

    portfolio_id: UUID
    calculation_date: date | None
    data_quality: Staleness | DataQuality
    factors: list[ShownFactor]
    metadata: dict[str, str | int]


class PositionExposures(Answer):
    """What a dollar of a position's underlying gains when a factor's return is one."""

    position_id: UUID
    symbol: str
    exposures: dict[str, Number] = Field(
        description="By the names of `factor-exposures`; one that is not known is not listed"
    )
    loadings: dict[FactorName, Number] = Field(
        description="By the model's own names, interest rates and credit among them"
    )


class PositionsFactorExposures(Summary):
    """Positions' loadings, a page of them."""

    portfolio_id: UUID
    calculation_date: date | None
    data_quality: Staleness | DataQuality | None
    total: int
    limit: int
    offset: int
    positions: list[PositionExposures]


def factors(portfolio_id: UUID, known: Known | None) -> Factors:
    """Read everything the engine found; None is a portfolio not heard of."""
    found, fields = found_factors(known)
    return Factors(
        **fields | {"available": found is not None}, portfolio_id=portfolio_id, data=found
    )


def factor_exposures(portfolio_id: UUID, known: Known | None, now: datetime) -> FactorExposures:
    """Read the newest exposures; None is a portfolio not heard of."""
    found, fields = found_factors(known)
    shown = [] if found is None else _shown(found)
    if found is None or not shown:
        return FactorExposures(
            **fields | {"available": False, "stale": False},
            portfolio_id=portfolio_id,
            calculation_date=None,
            data_quality=_nothing(known, found),
            factors=[],
            metadata={
                "reason": "no_calculation_available",
                "detail": "no_factor_calculations",
            },
        )
    calculated = sum(one.name not in (CALCULATED, PROVIDER) for one in shown)
    return FactorExposures(
        **fields,
        portfolio_id=portfolio_id,
        calculation_date=found.as_of,
        data_quality=_staleness(found, fields, now),
        factors=shown,
        metadata={
            "factor_model": f"{len(found.factors)}-factor",
            "calculation_method": FACTOR_METHOD,
            "completeness": "complete" if calculated == len(REPORTED) else "partial",
            "total_active_factors": len(REPORTED),
            "factors_calculated": calculated,
            "has_market_beta": int(any(one.name == "Market Beta" for one in shown)),
        },
    )


def positions_factor_exposures(
    portfolio_id: UUID, known: Known | None, now: datetime, page: Page
) -> PositionsFactorExposures:
    """Read a page of positions' loadings, by symbol and id.

    Of symbols that are not held there are none, as beyond the last page: that is an answer.
    """
    found, fields = found_factors(known)
    everything = [] if found is None else _positions(found)
    if found is None or not everything:
        flag = _nothing(known, found)
        fields |= {"available": False, "stale": False}
        return PositionsFactorExposures(
            **fields,
            portfolio_id=portfolio_id,
            calculation_date=None,
            data_quality=flag,
            total=0,
            limit=page.limit,
            offset=page.offset,
            positions=[],
        )
    rows = [one for one in everything if not page.symbols or one.symbol in page.symbols]
    names = [one.name for one in found.factors]
    shown = rows[page.offset : page.offset + page.limit]
    return PositionsFactorExposures(
        **fields,
        portfolio_id=portfolio_id,
        calculation_date=found.as_of,
        data_quality=_staleness(found, fields, now),
        total=len(rows),
        limit=page.limit,
        offset=page.offset,
        positions=[_exposures(one, names) for one in shown],
    )


def found_factors(known: Known | None) -> tuple[FactorsOut | None, dict[str, object]]:
    """Read what the engine found, and the fields of a Summary."""
    found = None if known is None else read("factors", known, FactorsOut)
    fields = summary(known, valuation_of(known), "factors")
    return found, fields


def _shown(found: FactorsOut) -> list[ShownFactor]:
    both = (
        NamedExposure(
            name=CALCULATED,
            beta=found.market_beta.beta,
            exposure_dollar=found.market_beta.exposure_dollar,
        ),
        NamedExposure(
            name=PROVIDER,
            beta=found.provider_beta.beta,
            exposure_dollar=None
            if found.provider_beta.beta is None
            else found.provider_beta.beta * found.net_asset_value,
        ),
    )
    return known_exposures([*found.reported, *both])


def known_exposures(exposures: Sequence[NamedExposure]) -> list[ShownFactor]:
    """Return the exposures that are known, as clients show them."""
    return [
        ShownFactor(name=one.name, beta=one.beta, exposure_dollar=one.exposure_dollar)
        for one in exposures
        if one.beta is not None
    ]


def _exposures(position: PositionFactors, names: Sequence[FactorName]) -> PositionExposures:
    loadings = {
        name: value
        for name, value in zip(names, position.loadings, strict=True)
        if value is not None
    }
    return PositionExposures(
        position_id=position.position_id,
        symbol=position.symbol,
        exposures={
            name: sign * loadings[factor]
            for name, (factor, sign) in REPORTED.items()
            if factor in loadings
        },
        loadings=loadings,
    )


def _positions(found: FactorsOut) -> list[PositionFactors]:
    rows = [one for one in found.positions if any(value is not None for value in one.loadings)]
    return sorted(rows, key=lambda one: (one.symbol, one.position_id))


def _staleness(found: FactorsOut, fields: Mapping[str, object], now: datetime) -> Staleness:
    ended = datetime.combine(found.as_of + timedelta(days=1), time(), tzinfo=UTC)
    stale = bool(fields["stale"])
    return Staleness(
        snapshot_date=found.as_of,
        age_hours=max((now - ended) // timedelta(hours=1), 0),
        is_stale=stale,
        is_current=not stale,
    )


def _nothing(known: Known | None, found: FactorsOut | None) -> DataQuality:
    total = 0 if found is None else found.counts.open_positions
    if found is not None and total == 0:
        return DataQuality(flag="NO_POSITIONS", message="The portfolio has no open positions.")
    analyzed = 0 if found is None else found.counts.modelled_positions
    return DataQuality(
        flag="NO_FACTOR_CALCULATIONS",
        message=why_no_factors(known),
        positions_analyzed=analyzed,
        positions_total=total,
        positions_skipped=total - analyzed,
        data_days=0 if found is None else found.market_beta.observations,
    )


def why_no_factors(known: Known | None) -> str:
    """Say why there is nothing to show."""
    failure = None if known is None else known.failures.get("factors")
    if failure is not None:
        return failure.message
    if known is not None and "factors" in known.results:
        return "Nothing in the portfolio can be modelled, or its net asset value is not positive."
    return "Factor exposures have not been calculated yet."
