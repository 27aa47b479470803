"""What is read of Greeks: numbers with their units, or why there are none."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from risk_engine.domain import EngineName, Failure, History
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.greeks import calculate
from risk_engine.engine.payload import to_payload
from risk_engine.engine.results import EngineResult, pack
from risk_engine.repository import Known, Result
from risk_engine.schemas import greeks
from tests.unit.risk_engine.exposed import six_book
from tests.unit.risk_engine.six_positions import AS_OF
from tests.unit.risk_engine.test_engine_greeks import market

PORTFOLIO = UUID(int=1)


def known_of(*engines, failure=None) -> Known:
    """What is stored of the six positions after some engines were asked."""
    frame = lay_out_chunk([six_book()], market(), {}, [History.none()])
    answer = calculate(frame)[0]
    assert isinstance(answer, EngineResult)
    payloads: dict[EngineName, Any] = {
        "valuation": to_payload(frame.valuations[0]),
        "greeks": answer.payload,
    }
    results: dict[EngineName, Result] = {
        name: Result(AS_OF, 1, 7, answer.status, "m-1", "hash", datetime.now(UTC), pack(payload))
        for name, payload in payloads.items()
        if name in engines
    }
    return Known(PORTFOLIO, "Six", 1, results, {} if failure is None else {"greeks": failure})


def test_greeks_are_read_with_their_units_and_no_number_is_none():
    found = greeks(PORTFOLIO, known_of("valuation", "greeks"))
    assert (found.available, found.portfolio_id, found.calculation_date) == (True, PORTFOLIO, AS_OF)
    assert found.data is not None
    assert {one.kind for one in found.data.positions} == {"security", "option", "private"}
    assert found.metadata["theta"].startswith("Money per calendar day, long options lose")
    assert "NaN" not in found.model_dump_json()
    assert found.data.totals.dollar_delta is not None
    assert found.data.totals.dollar_delta == round(found.data.totals.dollar_delta, 2)


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (None, "The portfolio has not been calculated yet."),
        (known_of("valuation"), "The Greeks have not been calculated yet."),
        (known_of("valuation", failure=Failure("engine_error", "It broke.")), "It broke."),
    ],
    ids=["unheard of", "only valued", "failed"],
)
def test_without_greeks_it_is_said_why(known, why):
    found = greeks(PORTFOLIO, known)
    assert (found.available, found.data, found.calculation_date) == (False, None, None)
    assert found.metadata == {"error": why}
