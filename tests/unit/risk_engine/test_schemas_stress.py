"""What is read of stress: everything, and the shape existing clients know."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

import pytest

from risk_engine.domain import EngineName, Failure
from risk_engine.engine import stress as engine
from risk_engine.engine.payload import to_payload
from risk_engine.engine.results import EngineResult, pack
from risk_engine.engine.scenario_file import shipped_scenarios
from risk_engine.repository import Known, Result
from risk_engine.schemas import stress, stress_test
from tests.support.simulated import AS_OF
from tests.unit.risk_engine.stress_books import EVERYTHING, account, frame_of, listed

PORTFOLIO = UUID(int=1)
CATEGORIES = ("market", "rates", "rotation", "volatility")


@cache
def known_of(*positions, equity="100000", only_valued=False):
    """What is stored of a book after it was stressed."""
    frame = frame_of(account(*positions, equity=equity))
    (answer,) = engine.calculate(frame)
    assert isinstance(answer, EngineResult)

    def stored(status, payload):
        return Result(AS_OF, 1, 3, status, "m-1", "hash", datetime.now(UTC), pack(payload))

    results: dict[EngineName, Result] = {"valuation": stored("ok", to_payload(frame.valuations[0]))}
    if not only_valued:
        results["stress"] = stored(answer.status, answer.payload)
    return Known(PORTFOLIO, "A book", 3, results, {})


def read_as_clients_do(known, wanted=None):
    """Read the stress test as clients do."""
    return stress_test(known, wanted)


def test_everything_is_read_and_nothing_is_not_a_number():
    found = stress(PORTFOLIO, known_of(*EVERYTHING))
    assert found.available
    assert found.data is not None
    assert len(found.data.scenarios) == 19
    assert len(found.data.replays) == 6
    assert len(found.data.reverse) == 4
    assert {len(one.correlated) for one in found.data.positions} == {19}
    assert "NaN" not in found.model_dump_json()


def test_the_shape_is_the_one_clients_know():
    """Contract 5.6, key by key; what they did not ask for stands beside."""
    answer = read_as_clients_do(known_of(*EVERYTHING)).model_dump(mode="json")
    assert answer["available"] is True
    assert answer["data_quality"] is None
    assert answer["metadata"] is None
    data = answer["data"]
    assert data["calculation_date"] == AS_OF.isoformat()
    value = data["portfolio_value"]
    assert data["not_calculated"] == []
    assert {one["id"] for one in data["scenarios"]} == {
        one.id for one in shipped_scenarios().active
    }
    places = [(one["category"], one["name"]) for one in data["scenarios"]]
    assert places == sorted(places)
    assert {category for category, _ in places} == set(CATEGORIES)
    for one in data["scenarios"]:
        assert one["impact_type"] == "correlated"
        assert isinstance(one["description"], str)
        assert one["severity"] in {"base", "mild", "moderate", "severe"}
        impact = one["impact"]
        assert set(impact) == {"dollar_impact", "percentage_impact", "new_portfolio_value"}
        assert impact["percentage_impact"] == pytest.approx(
            100 * impact["dollar_impact"] / value, abs=1e-3
        )
        assert impact["new_portfolio_value"] == pytest.approx(
            value + impact["dollar_impact"], abs=0.011
        )
        assert one["correlation_effect"] == pytest.approx(
            impact["dollar_impact"] - one["direct_impact"], abs=0.011
        )


def test_scenarios_can_be_asked_for_by_id():
    found = read_as_clients_do(known_of(*EVERYTHING), ["rates_up_25bp", "market_up_5", "no_such"])
    assert [one.id for one in found.data.scenarios] == ["market_up_5", "rates_up_25bp"]
    assert found.metadata.scenarios_requested == ["rates_up_25bp", "market_up_5", "no_such"]
    assert found.metadata.scenarios_not_found == ["no_such"]
    assert found.metadata.reason is None


def refusal(known, wanted=None):
    """Return the flag and reason with which nothing is answered."""
    found = read_as_clients_do(known, wanted)
    assert (found.available, found.data, found.stale) == (False, None, False)
    assert found.message
    assert found.data_quality.message
    return found.data_quality.flag, found.metadata.reason


def test_why_there_is_nothing_is_said_with_200():
    assert refusal(None) == ("NO_SNAPSHOT", "no_snapshot")
    only_valued = known_of(*EVERYTHING, only_valued=True)
    assert refusal(only_valued) == ("NO_STRESS_TEST_RESULTS", "no_results")
    assert refusal(known_of(*EVERYTHING, equity="100")) == ("ZERO_BASELINE", None)
    assert refusal(known_of(*EVERYTHING), ["no_such"]) == ("NO_MATCHING_RESULTS", None)
    current = replace(known_of(*EVERYTHING), revision=1)
    foreign = read_as_clients_do(current, ["no_such"])
    assert foreign.message == "None of the scenarios asked for has a result."
    assert foreign.metadata.scenarios_not_found == ["no_such"]
    assert read_as_clients_do(current).message is None
    unknown = known_of(listed(8, "unknown", "4"))
    assert refusal(unknown) == ("NO_STRESS_TEST_RESULTS", "no_results")
    quality = read_as_clients_do(unknown).data_quality
    assert quality.message.startswith("Of none of the 19 scenario(s) is the impact known. ")
    assert "yet" not in quality.message
    assert (quality.positions_total, quality.positions_analyzed) == (1, 0)
    assert quality.positions_skipped == 1


def test_an_engine_that_failed_says_what_happened():
    failed = Failure("engine_failed", "The stress test broke on this book.")
    known = replace(known_of(*EVERYTHING, only_valued=True), failures={"stress": failed})
    assert refusal(known) == ("NO_STRESS_TEST_RESULTS", "no_results")
    assert read_as_clients_do(known).data_quality.message == failed.message
    everything = stress(PORTFOLIO, known)
    assert (everything.available, everything.status, everything.reason, everything.message) == (
        False,
        None,
        "calculation_failed",
        failed.message,
    )


def test_what_is_missing_stands_beside():
    found = read_as_clients_do(known_of(*EVERYTHING, listed(8, "unknown", "4")))
    assert found.status == "partial"  # the engine's own: one position is not known
    assert found.data.unmodelled_positions == 1
    assert found.data.modelled_share < 1
    assert found.data.modelled_share_of == "gross market value of the open positions"


def test_without_a_result_there_is_none():
    assert stress(PORTFOLIO, None).data is None
    found = stress(PORTFOLIO, known_of(*EVERYTHING, only_valued=True))
    assert (found.available, found.data) == (False, None)
