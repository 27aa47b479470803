"""What stress says of a scenario is null, not false, where it rests on something not known."""

from dataclasses import replace

import pytest

from risk_engine.engine.valuation import LEAST_AMOUNT
from tests.unit.risk_engine.stress_books import (
    EVERYTHING,
    listed,
    scenario,
    share,
    stress_market,
    stressed,
)
from tests.unit.risk_engine.test_schemas_stress import known_of, read_as_clients_do

SERIES = ("close", "split_ratio", "dividend", "open", "high", "low", "volume")


def short_of_history():
    """The market, its factors with too few sessions for a covariance."""
    market = stress_market()
    cut = {name: getattr(market.reference, name)[-1_200:] for name in SERIES}
    recent = replace(market.reference, sessions=market.reference.sessions[-1_200:], **cut)
    return replace(market, reference=recent)


def test_without_a_covariance_nothing_is_said_of_what_would_follow():
    found = stressed(*EVERYTHING, market=short_of_history())
    for one in found.scenarios:
        assert (one.probability, one.correlated, one.maintenance_margin) == (None, None, None)
        assert set(one.verdicts.model_dump().values()) == {None}
        # Frozen as never null: a client of before still reads a truth value.
        assert (one.implausible, one.net_asset_value_negative, one.margin_call) == (False,) * 3


def test_a_short_option_that_is_not_modelled_leaves_the_margin_unknown():
    unknown = listed(8, "unknown", "-4")
    mixed, without = stressed(*EVERYTHING, unknown), stressed(*EVERYTHING)
    for one, other in zip(mixed.scenarios, without.scenarios, strict=True):
        assert other.maintenance_margin > 0
        assert one.correlated == other.correlated
        assert (one.maintenance_margin, one.verdicts.margin_call) == (None, None)
        assert one.verdicts.net_asset_value_negative is False
    answer = read_as_clients_do(known_of(*EVERYTHING, unknown))
    assert {one.verdicts.margin_call for one in answer.data.scenarios} == {None}


def test_what_is_known_is_said_as_before():
    found = stressed(share(1, "SPY", "-600"), equity="60000")
    for one in found.scenarios:
        assert one.verdicts.implausible is (one.probability < 0.001) is one.implausible
        negative = one.new_net_asset_value < 0
        assert one.verdicts.net_asset_value_negative is negative is one.net_asset_value_negative
        called = one.new_net_asset_value < one.maintenance_margin
        assert one.verdicts.margin_call is called is one.margin_call
    assert scenario(found, "market_rally_25").verdicts.margin_call is True


@pytest.mark.parametrize("worth", ["0.004", "0.006"])
def test_of_less_than_half_a_cent_stress_states_no_percentage(worth):
    found = stressed(equity=worth)
    stated = float(worth) >= LEAST_AMOUNT
    codes = {note.code for note in found.notes}
    assert ("net_asset_value_not_positive" not in codes) is stated
    for one in found.scenarios:
        assert (one.correlated_percentage is not None) is stated
    reasons = {one.reason for one in found.reverse}
    assert ("net_asset_value_not_positive" not in reasons) is stated
    flag = read_as_clients_do(known_of(equity=worth)).data_quality
    assert (flag is None) is stated
