"""What lowers the status of a result stands in its notes, for books odd in every way."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from risk_engine.domain import ENGINES
from risk_engine.engine.chunk import LEANS_ON_VALUATION, Calculated, calculate
from risk_engine.engine.results import unpack
from tests.support.odd_books import account, odd_books, odd_market, option, private, stored
from tests.support.risk_engine import position
from tests.unit.risk_engine.factored import without

BOOKS = {
    **odd_books(),
    "bills that nobody knows": account(*(position(one, 50) for one in ("BIL", "SGOV", "SHV"))),
    "an option on nothing known": account(option("NOSUCH", 50, "C", 1), private("A", 1, "OTHER")),
    "worth less than half a cent": account(
        position("AAPL", 1).model_copy(update={"quantity": Decimal("0.000001")}), equity=1
    ),
}
LOWERED = frozenset({"partial", "insufficient"})
REASONS = {
    "valuation": {
        *("carried_at_entry_price", "carried_at_last_price", "unsupported_currency"),
        *("invalid_positions", "valuation_basis_changed", "opening_before_panel"),
    },
    "greeks": {"unmodelled_options", "unpriced_securities", "estimated_volatility"},
    "exposure": {
        *("options_not_modelled", "positions_excluded", "positions_without_price"),
        "betas_not_known",
    },
    "factors": {
        *("not_modelled", "prior_only", "factors_missing", "default_rate", "yield_from_fund"),
    },
    "volatility": {"nothing_modelled", "unmodelled", "short_history"},
    "correlation": {
        *("short_history", "unmodelled_options", "too_many_symbols", "insufficient_symbols"),
    },
    "market_risk": {
        *("history_too_short", "too_few_scenarios", "positions_not_modelled"),
        *("positions_excluded", "no_factor_model"),
    },
    "stress": {
        *("positions_not_modelled", "positions_excluded", "covariance_not_known"),
        "factors_not_known",
    },
}


def calculated(market):
    """Return what was found of each book that is calculated at all."""
    found = calculate([stored(one) for one in BOOKS.values()], market)
    return {
        name: one for name, one in zip(BOOKS, found, strict=True) if isinstance(one, Calculated)
    }


@pytest.fixture(scope="module")
def market():
    return odd_market(BOOKS)


@pytest.fixture(scope="module")
def found(market):
    return calculated(market)


def codes(of, engine):
    return {note["code"] for note in unpack(of.results[engine].payload)["notes"]}


def unexplained(found):
    return [
        (name, engine)
        for name, one in found.items()
        for engine in ENGINES
        if one.results[engine].status in LOWERED
        and not codes(one, engine) & {*REASONS[engine], LEANS_ON_VALUATION}
    ]


def test_a_status_that_was_lowered_has_a_reason(found):
    lowered = {
        engine
        for one in found.values()
        for engine in ENGINES
        if one.results[engine].status in LOWERED
    }
    assert lowered == set(ENGINES)
    assert unexplained(found) == []


def test_so_it_has_where_nothing_is_known_of_the_market(market):
    assert (
        unexplained(calculated(replace(market, reference=without(market.reference, "SPY")))) == []
    )


def test_only_what_is_whole_by_itself_leans_on_the_valuation(found):
    bills = found["bills that nobody knows"]
    assert bills.status == "insufficient"
    assert LEANS_ON_VALUATION in codes(bills, "factors")
    assert bills.results["factors"].status == "partial"
    for name, one in found.items():
        for engine in ENGINES:
            leans = LEANS_ON_VALUATION in codes(one, engine)
            assert not leans or (one.status in LOWERED and engine != "valuation"), name
    assert LEANS_ON_VALUATION not in codes(found["everything"], "factors")


def test_less_than_half_a_cent_is_nothing_to_be_a_share_of(found):
    tiny = found["worth less than half a cent"]
    for engine in ENGINES:
        payload = unpack(tiny.results[engine].payload)
        parts = payload.get("quality", {}).get("of_gross_value", {})
        assert all(np.isnan(share) for share in parts.values()), engine
        rests_on = {**payload.get("coverage", {}), **payload.get("based_on", {})}
        if engine in ("greeks", "stress"):
            shares = {name: one for name, one in rests_on.items() if name.endswith("_share")}
            assert len(shares) >= 3
            assert all(np.isnan(one) for one in shares.values()), (engine, shares)
    assert 0 < tiny.net_asset_value < 2
