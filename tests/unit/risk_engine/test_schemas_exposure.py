"""What is read of exposures: everything, and the shapes existing clients know."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
import pytest

from risk_engine.domain import EngineName
from risk_engine.engine.exposure import calculate
from risk_engine.engine.payload import to_payload
from risk_engine.engine.results import EngineResult, pack
from risk_engine.repository import Known, Result
from risk_engine.schemas import concentration_metrics, exposure, sector_exposure
from risk_engine.schemas.base import Engine, plain
from risk_engine.schemas.exposure import ExcludedOut, ExposureOut, SectorOut, UnderlyingOut
from tests.unit.risk_engine.exposed import six_book, six_frame
from tests.unit.risk_engine.six_positions import AS_OF, LONG, PRIVATE, SHORT, SHORT_PUT

PORTFOLIO = UUID(int=1)


def known_of(book, *, only_valued=False, unmodelled=()) -> Known:
    """What is stored of a book after its exposures were calculated, some holdings' unknown."""
    frame = six_frame(book)
    dollar_delta = frame.exposures.dollar_delta.copy()
    dollar_delta[list(unmodelled)] = np.nan
    frame = replace(frame, exposures=replace(frame.exposures, dollar_delta=dollar_delta))
    answer = calculate(frame)[0]
    assert isinstance(answer, EngineResult)

    def stored(status, payload):
        return Result(AS_OF, 1, 7, status, "m-1", "hash", datetime.now(UTC), pack(payload))

    results: dict[EngineName, Result] = {"valuation": stored("ok", to_payload(frame.valuations[0]))}
    if not only_valued:
        results["exposure"] = stored(answer.status, answer.payload)
    return Known(PORTFOLIO, book.name, 1, results, {})


def test_everything_is_read_and_nothing_is_not_a_number():
    found = exposure(PORTFOLIO, known_of(six_book()))
    assert found.available
    assert found.data is not None
    assert found.data.delta_adjusted.gross == 185_876.29
    assert found.data.leverage == pytest.approx(0.6079131, abs=5e-8)
    assert [row.sector for row in found.data.sectors][-1] == "Private"
    assert len(found.data.underlyings) == 4
    assert "NaN" not in found.model_dump_json()


@pytest.mark.parametrize("read", [exposure, sector_exposure, concentration_metrics])
@pytest.mark.parametrize(
    "known", [None, known_of(six_book(), only_valued=True)], ids=["unheard of", "only valued"]
)
def test_without_a_result_there_is_none(read, known):
    found = read(PORTFOLIO, known)
    assert (found.available, found.data) == (False, None)


def test_sectors_in_the_clients_words():
    """Net equity is 134,019.09: technology .653920; the fund 50,000 / 134,019.09 = .373081."""
    found = sector_exposure(PORTFOLIO, known_of(six_book()))
    assert found.available
    assert found.data is not None
    data, metadata = found.data, found.metadata
    assert (found.calculation_date, metadata["benchmark"]) == (AS_OF, "SP500")
    assert data.portfolio_weights["Information Technology"] == pytest.approx(0.653920, abs=5e-7)
    assert data.portfolio_weights["Unclassified"] == pytest.approx(0.373081, abs=5e-7)
    assert "ETFs" not in data.portfolio_weights
    for sector, weight in data.over_underweight.items():
        compared = data.portfolio_weights.get(sector, 0) - data.benchmark_weights.get(sector, 0)
        assert weight == pytest.approx(compared, abs=1e-8)
    union = data.portfolio_weights.keys() | data.benchmark_weights.keys()
    assert data.over_underweight.keys() == union
    assert data.largest_overweight == "Information Technology"
    assert data.largest_underweight in data.benchmark_weights
    assert sum(data.benchmark_weights.values()) == pytest.approx(1)
    assert data.positions_by_sector == {
        "Information Technology": 1,
        "Energy": 2,
        "ETFs": 1,
        "Unclassified": 1,
    }
    assert (data.unclassified_value, data.unclassified_count) == (50_000, 1)
    assert data.total_portfolio_value == pytest.approx(168_217.44)


def test_a_sector_of_which_nothing_is_known_has_no_value():
    """It was 0.0, beside a count of one position and the 50,000 it is carried at."""
    known = known_of(six_book(lines=(LONG, SHORT, PRIVATE)), unmodelled=[1, 2])
    data = sector_exposure(PORTFOLIO, known).data
    assert data is not None
    assert (data.unclassified_value, data.unclassified_count) == (None, 1)
    assert data.positions_by_sector["Energy"] == 1
    assert "Energy" not in data.portfolio_weights | data.over_underweight
    assert "Utilities" in data.over_underweight
    everything = exposure(PORTFOLIO, known).data
    assert everything is not None
    rows = {row.sector: row for row in everything.sectors}
    for name in ("Energy", "Private"):
        row = rows[name]
        assert (row.long, row.short, row.gross, row.net, row.weight) == (None,) * 5
    assert rows["Utilities"].gross == 0


def test_without_a_net_position_nothing_is_compared():
    """Half long and half short: weights are of NAV, and no overweight is stated."""
    short = SHORT._replace(quantity=-790.0)
    found = sector_exposure(PORTFOLIO, known_of(six_book(lines=(LONG, short))))
    assert found.data is not None
    assert found.data.weights_of == "net asset value"
    assert found.data.portfolio_weights["Energy"] < 0
    assert (found.data.over_underweight, found.data.largest_overweight) == ({}, None)


@pytest.mark.parametrize(
    "book",
    [
        pytest.param(six_book(lines=()), id="no positions"),
        pytest.param(six_book(lines=(LONG,), equity=-200_000), id="no net asset value"),
    ],
)
def test_sectors_need_positions_and_a_net_asset_value(book):
    found = sector_exposure(PORTFOLIO, known_of(book))
    assert (found.available, found.data) == (False, None)
    assert found.metadata["error"]


def test_concentration_in_the_clients_words():
    found = concentration_metrics(PORTFOLIO, known_of(six_book()))
    assert found.data is not None
    assert found.data.hhi == pytest.approx(3_450.09, abs=0.02)
    assert found.data.effective_num_positions == pytest.approx(2.89847, abs=2e-5)
    assert found.data.top_3_concentration == pytest.approx(0.995004, abs=5e-7)
    assert (found.data.total_positions, found.data.underlyings) == (5, 4)
    assert found.data.position_weights is None
    assert found.metadata["interpretation"].startswith("As concentrated as 2.9 equal positions")


def test_a_book_without_exposure_is_not_concentrated():
    found = concentration_metrics(PORTFOLIO, known_of(six_book(lines=())))
    assert (found.available, found.data) == (False, None)
    assert "without an exposure" in found.metadata["error"]


def test_what_is_calculated_of_an_older_book_is_stale():
    known = replace(known_of(six_book()), revision=2)
    assert concentration_metrics(PORTFOLIO, known).stale
    assert not concentration_metrics(PORTFOLIO, replace(known, results={})).stale


def test_an_answer_in_json_has_numbers_and_nulls_only():
    """Of books whose shares are not known too."""
    for lines, equity in (((LONG,), -2e5), ((PRIVATE,), 1e5), ((SHORT_PUT,), 1e5), ((), 0)):
        known = known_of(six_book(lines=lines, equity=equity))
        for read in (exposure, sector_exposure, concentration_metrics):
            text = read(PORTFOLIO, known).model_dump_json()
            assert not any(word in text for word in ("NaN", "Infinity"))


def test_weights_of_a_private_book_are_of_net_asset_value():
    found = sector_exposure(PORTFOLIO, known_of(six_book(lines=(PRIVATE,), equity=100_000)))
    assert found.data is not None
    assert found.data.portfolio_weights == {"Unclassified": 0.5}
    assert found.data.unclassified_value == pytest.approx(50_000)


def test_the_model_says_all_that_the_engine_does():
    answer = calculate(six_frame(six_book()))[0]
    assert isinstance(answer, EngineResult)
    assert answer.payload.keys() == {*ExposureOut.model_fields} - {*Engine.model_fields, "engine"}
    shown = plain(answer.payload)
    for name, model in (
        ("underlyings", UnderlyingOut),
        ("sectors", SectorOut),
        ("excluded", ExcludedOut),
    ):
        for row in shown[name]:
            assert row.keys() == model.model_fields.keys()
