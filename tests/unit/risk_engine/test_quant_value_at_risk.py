"""Value at risk and expected shortfall of scenarios: worked examples, oracles, properties."""

import empyrical
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant.value_at_risk import (
    CONFIDENCES,
    age_weighted_risk,
    age_weights,
    historical_risk,
    quantile_rank,
    worst_scenarios,
)

HULL_WORST = np.array([477_841.0, 345_435, 282_204, 277_041, 253_385])
HULL_PLACES = np.array([494, 339, 349, 329, 487])


def hull():
    """Return 500 scenarios of Hull 22's four indices: the five worst known, the rest milder."""
    pnl = np.linspace(-250_000, 400_000, 500)[None].copy()
    pnl[0, HULL_PLACES - 1] = -HULL_WORST
    return pnl


def drawn(portfolios, scenarios, seed=1):
    """Return fat-tailed, skewed P&L."""
    chance = np.random.default_rng(seed)
    return chance.standard_t(4, (portfolios, scenarios)) - 0.1 * chance.exponential(
        1, (portfolios, scenarios)
    )


def by_hand(pnl, confidence):
    """Return VaR and ES of one portfolio, by counting."""
    losses = sorted((-one for one in pnl.tolist()), reverse=True)
    size = round(len(losses) * (1 - confidence), 9)
    whole = int(size)
    total = sum(losses[:whole]) + (size - whole) * losses[whole]
    return losses[max(1, whole) - 1], total / size


def test_c14_19_the_fifth_worst_of_500_is_hull_s_value_at_risk():
    risk = historical_risk(hull(), (0.99,))
    assert risk.value_at_risk[0, 0] == 253_385
    assert risk.expected_shortfall[0, 0] == pytest.approx(327_181, abs=0.5)


def test_c14_20_age_weights_are_hull_s():
    weights = age_weights(500, 0.995)[HULL_PLACES - 1]
    assert weights == pytest.approx([0.00528, 0.00243, 0.00255, 0.00231, 0.00510], abs=5e-6)
    risk = age_weighted_risk(hull(), (0.99,), decay=0.995)
    assert risk.value_at_risk[0, 0] == 282_204
    # The book multiplies rounded weights.
    assert risk.expected_shortfall[0, 0] == pytest.approx(400_914, abs=5)


@pytest.mark.parametrize("scenarios", [250, 252, 500, 504, 777])
def test_every_portfolio_gets_what_counting_its_losses_gives(scenarios):
    pnl = drawn(40, scenarios)
    risk = historical_risk(pnl)
    for row, one in enumerate(pnl):
        for column, confidence in enumerate(CONFIDENCES):
            value_at_risk, shortfall = by_hand(one, confidence)
            assert risk.value_at_risk[row, column] == value_at_risk
            assert risk.expected_shortfall[row, column] == pytest.approx(shortfall, rel=1e-13)


def test_empyrical_s_percentiles_are_ours_once_they_are_made_to_fall_on_a_loss():
    """Its cutoff runs from 0 at the worst of n returns to 1 at the best, and interpolates."""
    for scenarios in (250, 500, 504):
        for one in drawn(40, scenarios):
            risk = historical_risk(one[None])
            for column, confidence in enumerate(CONFIDENCES):
                k = quantile_rank(scenarios, confidence)
                theirs = -empyrical.value_at_risk(one, cutoff=(k - 1) / (scenarios - 1))
                assert risk.value_at_risk[0, column] == pytest.approx(theirs, rel=1e-12)


def test_empyrical_s_conditional_value_at_risk_is_ours_where_the_tail_is_whole():
    """Its tail ends at the return of place floor((n - 1) cutoff): the fifth worst of 500 here."""
    for one in drawn(60, 500):
        theirs = -empyrical.conditional_value_at_risk(one, cutoff=4.5 / 499)
        ours = historical_risk(one[None], (0.99,)).expected_shortfall[0, 0]
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_equal_ages_are_no_ages():
    pnl = drawn(20, 500)
    plain, aged = historical_risk(pnl), age_weighted_risk(pnl, decay=1.0)
    assert aged.expected_shortfall == pytest.approx(plain.expected_shortfall, rel=1e-12)
    # 2.5 % of 500 is 12.5: counting stops before the fraction, weights stop behind it.
    assert np.array_equal(aged.value_at_risk[:, [0, 2]], plain.value_at_risk[:, [0, 2]])


def test_too_few_scenarios_say_nothing_of_the_far_tail():
    known = np.isfinite(historical_risk(drawn(1, 249)).value_at_risk[0]).tolist()
    assert known == [True, True, False]
    assert np.isfinite(historical_risk(drawn(1, 250)).expected_shortfall).all()
    assert np.isnan(age_weighted_risk(drawn(1, 249)).value_at_risk[0, 2])
    assert np.isnan(historical_risk(drawn(1, 3)).value_at_risk).all()


def test_an_unknown_scenario_makes_its_own_portfolio_unknown():
    pnl = drawn(3, 500)
    pnl[1, 7] = np.nan
    for risk in (historical_risk(pnl), age_weighted_risk(pnl)):
        assert np.isnan(risk.value_at_risk[1]).all()
        assert np.isnan(risk.expected_shortfall[1]).all()
        assert np.isfinite(risk.value_at_risk[[0, 2]]).all()


def test_ten_days_are_the_root_of_ten_of_one():
    risk = historical_risk(drawn(2, 500))
    assert risk.over(10).value_at_risk == pytest.approx(risk.value_at_risk * 10**0.5)
    assert risk.over(10).expected_shortfall == pytest.approx(risk.expected_shortfall * 10**0.5)


def test_the_worst_scenarios_are_listed_worst_first_and_equal_ones_in_order():
    pnl = np.array([[0.0, -3.0, 2.0, -3.0, -5.0]])
    assert worst_scenarios(pnl, 4).tolist() == [[4, 1, 3, 0]]


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(250, 600), st.floats(1e-6, 1e6), st.floats(-1e3, 1e3))
def test_risk_scales_with_the_position_and_falls_by_certain_cash(seed, scenarios, scale, cash):
    pnl = drawn(2, scenarios, seed)
    risk, scaled = historical_risk(pnl), historical_risk(pnl * scale)
    moved = historical_risk(pnl + cash)
    for name in ("value_at_risk", "expected_shortfall"):
        plain = getattr(risk, name)
        assert getattr(scaled, name) == pytest.approx(plain * scale, rel=1e-12)
        assert getattr(moved, name) == pytest.approx(plain - cash, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(250, 600))
def test_the_whole_is_at_most_its_parts_in_expected_shortfall(seed, scenarios):
    one, other = drawn(2, scenarios, seed)
    parts = historical_risk(np.stack([one, other])).expected_shortfall.sum(axis=0)
    assert (historical_risk((one + other)[None]).expected_shortfall[0] <= parts + 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(250, 600))
def test_order_does_not_matter_and_more_confidence_is_more_risk(seed, scenarios):
    pnl = drawn(3, scenarios, seed)
    shuffled = np.random.default_rng(seed).permuted(pnl, axis=1)
    risk, same = historical_risk(pnl), historical_risk(shuffled)
    assert np.array_equal(risk.value_at_risk, same.value_at_risk)
    assert np.array_equal(risk.expected_shortfall, same.expected_shortfall)
    assert (np.diff(risk.value_at_risk, axis=1) >= 0).all()
    assert (np.diff(risk.expected_shortfall, axis=1) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from([400, 600, 1000]))
def test_expected_shortfall_is_at_least_value_at_risk_where_the_tail_is_whole(seed, scenarios):
    risk = historical_risk(drawn(3, scenarios, seed))
    assert (risk.expected_shortfall >= risk.value_at_risk).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(2, 9))
def test_company_changes_not_a_bit(seed, portfolios):
    pnl = drawn(portfolios, 504, seed)
    together, alone = historical_risk(pnl), historical_risk(pnl[1:2])
    assert np.array_equal(together.value_at_risk[1], alone.value_at_risk[0])
    assert np.array_equal(together.expected_shortfall[1], alone.expected_shortfall[0])


def test_a_sign_flip_reads_the_other_tail():
    pnl = drawn(5, 500)
    flipped = historical_risk(-pnl)
    best = np.sort(pnl, axis=1)[:, ::-1]
    assert np.array_equal(flipped.value_at_risk[:, 2], best[:, 4])
