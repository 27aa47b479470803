"""How a report is judged by what its engines say."""

import pytest

from risk_engine.schemas.report import overall

FINE = {"valuation": "ok", "greeks": "ok", "exposure": "ok"}


@pytest.mark.parametrize(
    ("differs", "expected"),
    [
        ({}, "ok"),
        ({"exposure": "stale"}, "stale"),
        ({"exposure": "stale", "greeks": "partial"}, "partial"),
        ({"greeks": "insufficient"}, "partial"),
        ({"valuation": "insufficient"}, "insufficient"),
        ({"correlation": "insufficient", "stress": "partial"}, "ok"),
    ],
)
def test_a_report_is_as_complete_as_what_is_owned_and_at_stake(differs, expected):
    assert overall(FINE | differs) == expected


def test_an_engine_that_failed_leaves_a_report_partial_and_no_valuation_leaves_none():
    assert overall({"valuation": "ok", "exposure": "ok"}) == "partial"
    assert overall({}) is None
