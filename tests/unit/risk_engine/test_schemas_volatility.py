"""What is read of volatility and correlation: everything, and the shapes existing clients know."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import ValidationError

from common.errors import ServiceError
from risk_engine.api.correlation import lookback
from risk_engine.domain import EngineName, Failure
from risk_engine.engine import correlation as correlation_engine
from risk_engine.engine import volatility as volatility_engine
from risk_engine.engine.payload import to_payload
from risk_engine.engine.results import EngineResult, pack
from risk_engine.quant.correlation import unpack_upper
from risk_engine.repository import Known, Result
from risk_engine.schemas import correlation_matrix, diversification_score, volatility
from risk_engine.schemas.correlation import CorrelationOut
from risk_engine.schemas.summary import read
from risk_engine.schemas.volatility import VolatilityOut
from tests.unit.risk_engine import held
from tests.unit.risk_engine.books import position, private

PORTFOLIO = UUID(int=1)
LINES = (
    position(1, "AAA", "500", "90"),
    position(2, "BBB", "-200", "90"),
    position(3, "CCC", "100", "90"),
)
ENGINES: dict[EngineName, Any] = {
    "volatility": volatility_engine,
    "correlation": correlation_engine,
}


def known_of(book, *, of=None, failures=None) -> Known:
    """What is stored of a book after both engines."""
    frame = held.frame(book, of=of)

    def stored(status, payload):
        now = datetime.now(UTC)
        return Result(held.AS_OF, 1, 7, status, "m-1", "hash", now, pack(payload))

    results: dict[EngineName, Result] = {"valuation": stored("ok", to_payload(frame.valuations[0]))}
    for name, engine in ENGINES.items():
        if name not in (failures or {}):
            (answer,) = engine.calculate(frame)
            assert isinstance(answer, EngineResult)
            results[name] = stored(answer.status, answer.payload)
    return Known(PORTFOLIO, book.name, 1, results, failures or {})


def matrix(known, **changes):
    asked = {"lookback_days": 90, "min_overlap": 30, "max_symbols": 25}
    found: Any = correlation_matrix(known, **{**asked, **changes})
    return found


def score(known):
    found: Any = diversification_score(PORTFOLIO, known, lookback_days=90, min_overlap=30)
    return found


def payload(name, model) -> Any:
    """What is read of the full book."""
    return read(name, FULL, model)


FULL = known_of(held.book(*LINES, private(4, "FUND", "20000")))
BOOKS = [
    pytest.param(held.book(*LINES, private(4, "FUND", "20000")), id="full"),
    pytest.param(held.book(), id="empty"),
    pytest.param(held.book(*LINES, equity="-10"), id="without NAV"),
    pytest.param(held.book(private(4, "FUND", "20000")), id="private"),
    pytest.param(held.book(LINES[0], position(9, "TWIN", "-500", "90")), id="hedged"),
]


@pytest.mark.parametrize("book", BOOKS)
def test_everything_is_read_and_nothing_is_not_a_number(book):
    known = known_of(book)
    found = (read("volatility", known, VolatilityOut), read("correlation", known, CorrelationOut))
    for one in (*found, volatility(PORTFOLIO, known), matrix(known), score(known)):
        assert one is not None
        assert "NaN" not in one.model_dump_json()
        type(one).model_validate_json(one.model_dump_json())


def test_volatility_in_the_clients_words():
    found = volatility(PORTFOLIO, FULL)
    assert found.available
    assert found.calculation_date == held.AS_OF
    assert found.data is not None
    profits = 0.5 * held.drawn()["AAA"] - 0.2 * held.drawn()["BBB"] + 0.1 * held.drawn()["CCC"]
    expected = profits[-21:].std(ddof=1) * np.sqrt(252)
    assert found.data.realized_volatility_21d == pytest.approx(expected, abs=1e-8)
    assert found.data.expected_volatility_21d is not None
    assert found.data.volatility_percentile is not None
    assert 0 < found.data.volatility_percentile < 1
    assert found.metadata["forecast_model"] == "HAR"
    assert found.metadata["trading_day_windows"] == "21d, 63d"


def test_correlations_in_the_clients_words():
    found = matrix(FULL)
    assert found.available
    assert found.data is not None
    assert list(found.data.matrix) == ["AAA", "BBB", "CCC"]
    assert all(found.data.matrix[one][one] == 1 for one in found.data.matrix)
    assert found.data.matrix["AAA"]["BBB"] == found.data.matrix["BBB"]["AAA"]
    triangle = payload("correlation", CorrelationOut).correlation
    expected = unpack_upper(np.array(triangle), 3)
    assert [list(row.values()) for row in found.data.matrix.values()] == expected.tolist()
    assert found.data.average_correlation == pytest.approx(np.mean(triangle), abs=1e-7)
    assert (found.metadata.symbols_included, found.metadata.positions_included) == (3, 3)


def test_the_window_said_is_the_one_there_is_and_not_the_one_asked_for():
    metadata = matrix(FULL, lookback_days=90).metadata
    assert metadata.duration_days == 252
    assert metadata.requested_lookback_days == 90
    assert 360 < metadata.lookback_days < 370


def test_the_largest_symbols_alone_if_wanted():
    found = matrix(FULL, max_symbols=2)
    assert {one: set(row) for one, row in found.data.matrix.items()} == {
        "AAA": {"AAA", "BBB"},
        "BBB": {"AAA", "BBB"},
    }


def test_a_pair_with_too_little_in_common_is_left_out_and_said_why():
    moves = held.drawn()
    moves["AAA"][600:645] = np.nan
    known = known_of(held.book(*LINES), of=held.market(moves))
    found = matrix(known, lookback_days=365, min_overlap=210).data
    shown = found.matrix
    assert shown["AAA"].keys() == {"AAA"}
    assert shown["BBB"].keys() == {"BBB", "CCC"}
    assert shown["BBB"]["CCC"] != 0
    assert shown["AAA"]["AAA"] == 1
    common = 252 - 46  # 45 closes are in 46 returns
    assert [one.model_dump() for one in found.unknown_pairs] == [
        {
            "first": "AAA",
            "second": other,
            "reason": "too_few_common_sessions",
            "common_sessions": common,
        }
        for other in ("BBB", "CCC")
    ]
    assert matrix(known).data.unknown_pairs == []
    # What is not known is in no mean.
    assert found.average_correlation == shown["BBB"]["CCC"]


def test_an_overlap_no_pair_has_is_no_matrix_of_zeros():
    found = matrix(FULL, lookback_days=365, min_overlap=365)
    assert (found.available, found.data, found.reason) == (False, None, "insufficient_data")
    assert found.data_quality.flag == "INSUFFICIENT_DATA"
    assert found.data_quality.message == found.metadata.message
    assert found.metadata.message == "No two holdings have 365 of 252 sessions in common."
    assert matrix(FULL, lookback_days=365, min_overlap=252).available


def test_the_average_is_of_what_is_shown():
    found = matrix(FULL, max_symbols=2).data
    assert found.average_correlation == pytest.approx(found.matrix["AAA"]["BBB"])
    assert found.average_correlation != pytest.approx(matrix(FULL).data.average_correlation)


def test_a_score_in_the_clients_words():
    found = score(FULL)
    bets = payload("correlation", CorrelationOut).effective_bets
    assert found.data.overall_score == pytest.approx(100 * (1 - 1 / bets), abs=1e-5)
    assert 1 < bets < 3
    shares = np.array([50, 20, 10, 20]) / 100
    assert found.data.category_scores.position_size == pytest.approx(100 * (1 - shares @ shares))
    assert found.data.category_scores.geography is None
    assert found.metadata.position_count == 4
    assert 0 < found.portfolio_correlation < 1
    assert found.implied_correlation < 0
    assert found.metadata.requested_lookback_days == 90
    assert found.metadata.lookback_days == matrix(FULL).metadata.lookback_days > 360


def test_a_hedged_index_is_not_diversified():
    """A fund against its twin, leveraged, scored 99.98: the less risk was left, the more."""
    moves = held.drawn()
    moves["TWIN"] = moves["AAA"] + np.random.default_rng(3).normal(0, 1e-4, 779)
    hedged = held.book(position(1, "AAA", "8000", "90"), position(9, "TWIN", "-8000", "90"))
    found = score(known_of(hedged, of=held.market(moves)))
    assert found.data.overall_score < 1
    assert found.portfolio_correlation == pytest.approx(1, abs=0.01)
    assert found.implied_correlation == pytest.approx(-1, abs=0.01)


@pytest.mark.parametrize(
    ("known", "reason", "flag"),
    [
        (None, "no_calculation_available", "NO_CORRELATION_CALCULATION"),
        (known_of(held.book(LINES[0])), "insufficient_symbols", "INSUFFICIENT_SYMBOLS"),
        (
            known_of(held.book(LINES[0], position(5, "YOUNG", "100", "90"))),
            "insufficient_data",
            "INSUFFICIENT_DATA",
        ),
    ],
)
def test_without_correlations_the_reason_is_said(known, reason, flag):
    found, scored = matrix(known), score(known)
    assert (found.available, found.data, found.reason) == (False, None, reason)
    assert found.data_quality.flag == flag
    assert found.data_quality.message == found.metadata.message != ""
    assert (scored.available, scored.reason, scored.metadata.reason) == (False, reason, reason)


def test_a_failed_engine_s_reason_is_shown():
    failed = {name: Failure("engine_failed", f"{name} broke.") for name in ENGINES}
    known = known_of(held.book(*LINES), failures=failed)
    assert volatility(PORTFOLIO, known).metadata == {"error": "volatility broke."}
    assert matrix(known).metadata.message == "correlation broke."


def test_no_more_overlap_than_window_can_be_asked_for():
    assert lookback(90, 90) == (90, 90)
    with pytest.raises(ServiceError) as refused:
        lookback(30, 31)
    assert refused.value.status == 400


def test_a_payload_with_a_number_missing_is_no_result():
    """The models are what the engines write: a field that is not there is found out."""
    written = payload("volatility", VolatilityOut).model_dump()
    del written["holdings"]["trend"]
    with pytest.raises(ValidationError, match="trend"):
        VolatilityOut.model_validate(written)
