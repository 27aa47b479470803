"""How long the engines took is said once for each chunk."""

import pytest

from risk_engine.jobs.stopwatch import Span, seconds_by_part


def test_a_chunk_calculated_again_in_halves_is_one_chunk():
    second = 1_000_000_000
    spans = [
        Span("valuation", 0, 4 * second),
        Span("greeks", 4 * second, 5 * second),
        Span("valuation", 5 * second, 7 * second),
        Span("valuation", 7 * second, 8 * second),
    ]
    assert seconds_by_part(spans) == pytest.approx({"valuation": 7.0, "greeks": 1.0})
    assert seconds_by_part([]) == {}
