"""What is read of the engine `exposure`: all of it, and under the names existing clients know."""

from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

from pydantic import Field

from risk_engine.repository import Known
from risk_engine.schemas.base import Answer, Money, Number
from risk_engine.schemas.exposure import DiversificationOut, ExposureOut, SectorOut
from risk_engine.schemas.summary import Summary, read, summary, valuation_of


class Exposure(Summary):
    """The newest exposures of a portfolio."""

    portfolio_id: UUID
    data: ExposureOut | None


class SectorData(Answer):
    """Sectors under the names existing clients know; weights are of `weights_of`."""

    portfolio_weights: dict[str, Number]
    benchmark_weights: dict[str, Number]
    over_underweight: dict[str, Number] = Field(
        description="portfolio_weights - benchmark_weights; empty where no comparison makes sense"
    )
    largest_overweight: str | None
    largest_underweight: str | None
    total_portfolio_value: Money = Field(description="Gross value of all open positions")
    positions_by_sector: dict[str, int]
    unclassified_value: Money | None = Field(
        description="Gross exposure without a sector, funds aside; null if none of it is known"
    )
    unclassified_count: int
    weights_of: str


class SectorExposure(Summary):
    """Sector weights of a portfolio beside its benchmark's."""

    portfolio_id: UUID
    calculation_date: date | None = None
    data: SectorData | None = None
    metadata: dict[str, str]


class ConcentrationData(Answer):
    """Concentration under the names existing clients know, and what they did not ask for."""

    hhi: Number = Field(description="0 to 10,000")
    effective_num_positions: Number
    top_3_concentration: Number
    top_10_concentration: Number
    total_positions: int = Field(description="Open positions, lots counted apart")
    position_weights: None = None
    top_1_concentration: Number
    top_5_concentration: Number
    underlyings: int
    weights_of: str
    diversification: DiversificationOut


class ConcentrationMetrics(Summary):
    """How concentrated a portfolio is."""

    portfolio_id: UUID
    calculation_date: date | None = None
    data: ConcentrationData | None = None
    metadata: dict[str, str]


ETFS, UNCLASSIFIED = "ETFs", "Unclassified"
_BUCKETS: Mapping[str, str | None] = {
    "Funds": ETFS,
    "Fixed Income": ETFS,
    "Commodities": ETFS,
    "Digital Assets": ETFS,
    "Private": UNCLASSIFIED,
    "Volatility": UNCLASSIFIED,
    "Unclassified": UNCLASSIFIED,
    "Cash": None,
}
"""What clients call the part of a book that is no sector of equity; cash is no part of it."""
_NOT_COMPARED = "net asset value"


def exposure(portfolio_id: UUID, known: Known | None) -> Exposure:
    """Read the newest exposures; None is a portfolio not heard of."""
    found = _found(known)
    return Exposure(
        **_summary(known, available=found is not None), portfolio_id=portfolio_id, data=found
    )


def sector_exposure(portfolio_id: UUID, known: Known | None) -> SectorExposure:
    """Read the newest sector weights; None is a portfolio not heard of."""
    found = _found(known)
    why = _why_no_sectors(found)
    if found is None or why is not None:
        return SectorExposure(
            **_summary(known, available=False),
            portfolio_id=portfolio_id,
            metadata={"error": why or "The portfolio has no calculated exposures yet."},
        )
    return SectorExposure(
        **_summary(known, available=True),
        portfolio_id=portfolio_id,
        calculation_date=found.as_of,
        data=_sector_data(found),
        metadata={
            "benchmark": found.benchmark.name,
            "benchmark_as_of": found.benchmark.as_of.isoformat(),
            "benchmark_source": found.benchmark.source,
            "look_through_as_of": found.benchmark.look_through_as_of.isoformat(),
        },
    )


def concentration_metrics(portfolio_id: UUID, known: Known | None) -> ConcentrationMetrics:
    """Read the newest concentration; None is a portfolio not heard of."""
    found = _found(known)
    data = None if found is None else _concentration_data(found)
    if found is None or data is None:
        error = "not calculated yet" if found is None else "without an exposure to measure"
        return ConcentrationMetrics(
            **_summary(known, available=False),
            portfolio_id=portfolio_id,
            metadata={"error": f"The portfolio is {error}."},
        )
    return ConcentrationMetrics(
        **_summary(known, available=True),
        portfolio_id=portfolio_id,
        calculation_date=found.as_of,
        data=data,
        metadata={
            "calculation_method": "delta_adjusted_gross_per_underlying",
            "interpretation": (
                f"As concentrated as {data.effective_num_positions:.1f} equal positions; the "
                f"largest is {data.top_1_concentration:.0%} of gross exposure."
            ),
        },
    )


def _found(known: Known | None) -> ExposureOut | None:
    return None if known is None else read("exposure", known, ExposureOut)


def _summary(known: Known | None, *, available: bool) -> dict[str, object]:
    fields = summary(known, valuation_of(known), "exposure")
    return fields | {"available": available, "stale": available and fields["stale"]}


def _why_no_sectors(found: ExposureOut | None) -> str | None:
    if found is None:
        return None
    if found.delta_adjusted.gross_share is None:
        return "Net asset value is not positive, or no exposure is known."
    if found.counts.open_positions == 0:
        return "The portfolio has no open positions."
    return None


def _sector_data(found: ExposureOut) -> SectorData:
    compared = any(row.weight is not None for row in found.sectors)
    equity = sum(row.net or 0.0 for row in found.sectors if row.sector not in _BUCKETS)
    whole = equity if compared else found.net_asset_value
    weight, gross, positions = _by_name(found.sectors, whole)
    weights = {name: part for name, part in weight.items() if gross[name] > 0}
    unknown = positions.keys() - gross.keys()
    benchmark = {row.sector: row.benchmark for row in found.sectors if row.benchmark > 0}
    active = (
        {
            name: weights.get(name, 0.0) - benchmark.get(name, 0.0)
            for name in sorted((weights.keys() | benchmark.keys()) - unknown)
        }
        if compared
        else {}
    )
    sectors = {name: value for name, value in active.items() if name not in {ETFS, UNCLASSIFIED}}
    over = max(sectors, key=lambda name: sectors[name], default=None)
    under = min(sectors, key=lambda name: sectors[name], default=None)
    value = found.market_value
    return SectorData(
        portfolio_weights=weights,
        benchmark_weights=benchmark,
        over_underweight=active,
        largest_overweight=over if over is not None and sectors[over] > 0 else None,
        largest_underweight=under if under is not None and sectors[under] < 0 else None,
        total_portfolio_value=(value.gross or 0.0) + abs(value.carried),
        positions_by_sector={name: count for name, count in positions.items() if count > 0},
        unclassified_value=None if UNCLASSIFIED in unknown else gross.get(UNCLASSIFIED, 0.0),
        unclassified_count=positions.get(UNCLASSIFIED, 0),
        weights_of=found.sector_weights_of if compared else _NOT_COMPARED,
    )


def _by_name(
    rows: Sequence[SectorOut], whole: float
) -> tuple[dict[str, float], dict[str, float], dict[str, int]]:
    # By the clients' names; a name of which nothing is known has positions and nothing else.
    weight: dict[str, float] = {}
    gross: dict[str, float] = {}
    positions: dict[str, int] = {}
    for row in rows:
        name = _BUCKETS.get(row.sector, row.sector)
        if name is None:
            continue
        positions[name] = positions.get(name, 0) + row.positions
        if row.net is not None and row.gross is not None:
            part = row.net / whole if row.weight is None else row.weight
            weight[name] = weight.get(name, 0.0) + part
            gross[name] = gross.get(name, 0.0) + row.gross
    return weight, gross, positions


def _concentration_data(found: ExposureOut) -> ConcentrationData | None:
    spread = found.concentration
    if (
        spread.herfindahl is None
        or spread.effective_number is None
        or spread.top_1 is None
        or spread.top_3 is None
        or spread.top_5 is None
        or spread.top_10 is None
    ):
        return None
    return ConcentrationData(
        hhi=10_000 * spread.herfindahl,
        effective_num_positions=spread.effective_number,
        top_3_concentration=spread.top_3,
        top_10_concentration=spread.top_10,
        total_positions=found.counts.open_positions,
        top_1_concentration=spread.top_1,
        top_5_concentration=spread.top_5,
        underlyings=spread.names,
        weights_of=spread.shares_of,
        diversification=found.diversification,
    )
