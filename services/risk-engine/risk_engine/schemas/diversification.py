"""Correlations and diversification, under the names existing clients know."""

from datetime import UTC, date, datetime, time
from math import isnan
from typing import Literal
from uuid import UUID

import numpy as np
from pydantic import Field

from risk_engine.quant.correlation import mean_correlation, unpack_upper
from risk_engine.quant.panel import FloatArray
from risk_engine.repository import Known
from risk_engine.schemas.base import Answer, Number
from risk_engine.schemas.correlation import CorrelationOut
from risk_engine.schemas.summary import read

Unavailable = Literal["no_calculation_available", "insufficient_data", "insufficient_symbols"]


class DataQuality(Answer):
    """Why there are no correlations, and what there was to work with."""

    flag: str
    message: str
    positions_analyzed: int
    positions_total: int
    positions_skipped: int
    data_days: int


class UnknownPair(Answer):
    """Two holdings whose correlation is not shown, and why."""

    first: str
    second: str
    reason: Literal["too_few_common_sessions"] = "too_few_common_sessions"
    common_sessions: int = Field(description="Fewer than `min_overlap`")


class MatrixData(Answer):
    """Correlations by symbol and symbol: 1 on the diagonal, none where too little is in common."""

    matrix: dict[str, dict[str, Number]]
    unknown_pairs: list[UnknownPair] = Field(
        description="Those without an entry in `matrix`, each once, in its order"
    )
    average_correlation: Number = Field(
        description="Signed mean of the pairs shown that have `min_overlap` sessions in common"
    )


class MatrixMetadata(Answer):
    """What the matrix was made of; absent fields are null."""

    calculation_date: datetime | None = None
    duration_days: int | None = Field(None, description="Sessions of the window")
    symbols_included: int | None = None
    positions_included: int | None = None
    lookback_days: int | None = Field(None, description="Calendar days of the window")
    requested_lookback_days: int
    min_overlap: int | None = None
    max_symbols: int | None = None
    selection_method: Literal["weight"] = "weight"
    reason: Unavailable | None = None
    message: str | None = None
    implied_correlation: Number | None = Field(
        None, description="Of everything that is correlated, whatever is shown"
    )
    shrinkage_intensity: Number | None = None


class CorrelationMatrix(Answer):
    """A portfolio's correlations, under the names existing clients know."""

    available: bool
    data: MatrixData | None
    data_quality: DataQuality | None
    metadata: MatrixMetadata
    reason: Unavailable | None = None


class CategoryScores(Answer):
    """0 (all in one) to 100 (spread over many)."""

    asset_class: Number
    sector: Number
    geography: None = Field(None, description="Null: where companies earn is not known here")
    position_size: Number


class ScoreData(Answer):
    """Diversification at a glance."""

    overall_score: Number = Field(
        description="100 (1 - 1 / effective bets): 0 for one thing, however hedged; 50 for two"
    )
    effective_bets: Number = Field(description="Independent risks; hedges count for nothing")
    category_scores: CategoryScores


class ScoreMetadata(Answer):
    """What the score was made of."""

    lookback_days: int | None = Field(description="Calendar days of the window")
    requested_lookback_days: int
    min_overlap: int = Field(description="As asked for")
    selection_method: Literal["full_calculation_set"] = "full_calculation_set"
    reason: Unavailable | None = None
    message: str | None = None
    position_count: int | None = None
    calculation_date: date | None = None


class DiversificationScore(Answer):
    """How far holdings offset each other, under the names existing clients know."""

    available: bool
    portfolio_id: UUID
    portfolio_correlation: Number | None = Field(
        description="Mean |correlation| by the pairs' own risks, 0 to 1: blind to hedges"
    )
    implied_correlation: Number | None = Field(
        description="Signed, -1 to 1: below 0 where holdings offset each other"
    )
    duration_days: int | None
    calculation_date: date | None
    symbols_included: int | None
    data: ScoreData | None
    metadata: ScoreMetadata
    reason: Unavailable | None = None


def correlation_matrix(
    known: Known | None, *, lookback_days: int, min_overlap: int, max_symbols: int
) -> CorrelationMatrix:
    """Read the newest matrix, of its largest symbols.

    The window is always the engine's own: what was asked for is said beside it. A pair with fewer
    common sessions than `min_overlap` is 0, as existing clients expect of what is not known; where
    no pair has as many there is no matrix.
    """
    result = _read(known)
    reason, message = _why(known, result)
    metadata = {"requested_lookback_days": lookback_days, "min_overlap": min_overlap}
    matrix = common = None
    if result is not None and result.symbols is not None:
        matrix, common = _known_pairs(result, len(result.symbols), max_symbols, min_overlap)
    average = float("nan") if matrix is None else mean_correlation(matrix)
    if result is not None and matrix is not None and np.isnan(average):
        reason = "insufficient_data"
        message = f"No two holdings have {min_overlap} of {result.sessions} sessions in common."
    if (
        result is None
        or matrix is None
        or common is None
        or result.symbols is None
        or np.isnan(average)
    ):
        return CorrelationMatrix(
            available=False,
            data=None,
            data_quality=_quality(result, reason, message),
            metadata=MatrixMetadata(**metadata, reason=reason, message=message),
            reason=reason,
        )
    symbols = [one.symbol for one in result.symbols][:max_symbols]
    return CorrelationMatrix(
        available=True,
        data=MatrixData(
            matrix=_by_symbol(symbols, matrix),
            unknown_pairs=_unknown_pairs(symbols, matrix, common),
            average_correlation=average,
        ),
        data_quality=None,
        metadata=MatrixMetadata(
            **metadata,
            calculation_date=datetime.combine(result.as_of, time(), UTC),
            duration_days=result.sessions,
            symbols_included=len(symbols),
            positions_included=len(symbols),
            lookback_days=_days(result),
            max_symbols=max_symbols,
            implied_correlation=result.implied_correlation,
            shrinkage_intensity=None if result.shrinkage is None else result.shrinkage.intensity,
        ),
    )


def diversification_score(
    portfolio_id: UUID, known: Known | None, *, lookback_days: int, min_overlap: int
) -> DiversificationScore:
    """Read the newest result as a score."""
    result = _read(known)
    reason, message = _why(known, result)
    available = result is not None and result.symbols is not None
    return DiversificationScore(
        available=available,
        portfolio_id=portfolio_id,
        portfolio_correlation=None if result is None else result.absolute_correlation,
        implied_correlation=None if result is None else result.implied_correlation,
        duration_days=None if result is None or not available else result.sessions,
        calculation_date=None if result is None else result.as_of,
        symbols_included=None if result is None or not result.symbols else len(result.symbols),
        data=None if result is None else _score(result),
        metadata=ScoreMetadata(
            lookback_days=None if result is None or not available else _days(result),
            requested_lookback_days=lookback_days,
            min_overlap=min_overlap,
            reason=None if available else reason,
            message=None if available else message,
            position_count=None if result is None else result.concentration.underlyings,
            calculation_date=None if result is None else result.as_of,
        ),
        reason=None if available else reason,
    )


def _days(result: CorrelationOut) -> int:
    return (result.as_of - result.first_session).days


def _read(known: Known | None) -> CorrelationOut | None:
    return None if known is None else read("correlation", known, CorrelationOut)


def _why(known: Known | None, result: CorrelationOut | None) -> tuple[Unavailable, str]:
    if result is not None:
        message = " ".join(note.message for note in result.notes)
        few = result.concentration.underlyings < 2
        return ("insufficient_symbols" if few else "insufficient_data"), message
    failure = None if known is None else known.failures.get("correlation")
    message = "Correlations have not been calculated yet." if failure is None else failure.message
    return "no_calculation_available", message


def _quality(result: CorrelationOut | None, reason: Unavailable, message: str) -> DataQuality:
    flags = {
        "no_calculation_available": "NO_CORRELATION_CALCULATION",
        "insufficient_data": "INSUFFICIENT_DATA",
        "insufficient_symbols": "INSUFFICIENT_SYMBOLS",
    }
    held = 0 if result is None else result.concentration.underlyings
    analyzed = 0 if result is None or result.symbols is None else len(result.symbols)
    return DataQuality(
        flag=flags[reason],
        message=message,
        positions_analyzed=analyzed,
        positions_total=held,
        positions_skipped=held - analyzed,
        data_days=0 if result is None else result.sessions,
    )


def _known_pairs(
    result: CorrelationOut, size: int, most: int, min_overlap: int
) -> tuple[FloatArray, FloatArray]:
    # Correlations of the largest symbols, NaN of a pair with too little in common, and how much
    # that is.
    matrix = unpack_upper(np.array(result.correlation), size)
    if isinstance(result.common, int):
        common = np.full((size, size), float(result.common))
    else:
        common = unpack_upper(np.array(result.common), size)
    matrix[common < min_overlap] = np.nan
    np.fill_diagonal(matrix, 1.0)
    return matrix[:most, :most], common[:most, :most]


def _by_symbol(symbols: list[str], matrix: FloatArray) -> dict[str, dict[str, float]]:
    # What is not known has no entry: the released contract has no nulls, and 0 would be a number.
    return {
        symbol: {other: one for other, one in zip(symbols, row, strict=True) if not isnan(one)}
        for symbol, row in zip(symbols, matrix.tolist(), strict=True)
    }


def _unknown_pairs(symbols: list[str], matrix: FloatArray, common: FloatArray) -> list[UnknownPair]:
    return [
        UnknownPair(
            first=symbols[first], second=symbols[second], common_sessions=int(common[first, second])
        )
        for first, second in np.argwhere(np.triu(np.isnan(matrix), 1)).tolist()
    ]


def _score(result: CorrelationOut) -> ScoreData | None:
    found = result.concentration
    bets = result.effective_bets
    scores = (found.asset_class, found.sector, found.position_size)
    asset_class, sector, size = (None if one is None else 100 * one for one in scores)
    if bets is None or asset_class is None or sector is None or size is None:
        return None
    return ScoreData(
        overall_score=100 * (1 - 1 / bets),
        effective_bets=bets,
        category_scores=CategoryScores(asset_class=asset_class, sector=sector, position_size=size),
    )
