"""Where a portfolio's risk comes from: Jorion's example, sums, and revaluation by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from risk_engine.quant.components import (
    component_depth,
    incremental_risk,
    normal_components,
    tail_components,
)
from risk_engine.quant.factor_risk import Positions, RiskModel, decompose
from risk_engine.quant.parametric import normal_risk
from risk_engine.quant.value_at_risk import CONFIDENCES, historical_risk, worst_scenarios


def found_of(exposure, covariance, confidences=CONFIDENCES):
    """Return the components of one book of assets that have this covariance."""
    held = Positions(np.zeros(len(exposure), np.int64), np.arange(len(exposure)), exposure)
    model = RiskModel(np.eye(len(exposure)), covariance, np.zeros(len(exposure)))
    return normal_components(decompose(held, model, 1), exposure, held.account, confidences)


def test_c14_24_jorion_s_two_currencies():
    exposure, covariance = np.array([2e6, 1e6]), np.diag([0.05**2, 0.12**2])
    z = 1.65
    confidence = float(stats.norm.cdf(z))
    found = found_of(exposure, covariance, (confidence,))
    assert found.volatility[0] == pytest.approx(156_205, abs=0.5)
    assert z * found.volatility[0] == pytest.approx(257_738, abs=0.5)
    assert found.marginal[:, 0] == pytest.approx([0.0528, 0.1521], abs=5e-5)
    component = found.component[:, 0]
    assert component == pytest.approx([105_630, 152_108], abs=0.5)
    share = component / component.sum()
    assert share == pytest.approx([0.410, 0.590], abs=5e-4)
    assert share * exposure.sum() / exposure == pytest.approx([0.615, 1.770], abs=5e-4)
    more = found_of(exposure + np.array([10_000, 0]), covariance, (confidence,)).volatility[0]
    assert z * (more - found.volatility[0]) == pytest.approx(529, abs=0.5)
    assert 10_000 * found.marginal[0, 0] == pytest.approx(528, abs=0.5)


def books(seed, sizes=(5, 1, 12), factors=3):
    """Return positions of several books, and a factor model of their underlyings."""
    chance = np.random.default_rng(seed)
    number = sum(sizes)
    root = chance.normal(0, 0.01, (factors, factors))
    held = Positions(
        np.repeat(np.arange(len(sizes)), sizes),
        np.arange(number),
        chance.normal(0, 1e5, number),
    )
    model = RiskModel(
        chance.normal(0.5, 0.5, (number, factors)),
        root @ root.T + 1e-6 * np.eye(factors),
        chance.uniform(0, 4e-4, number),
    )
    return held, model


def normal(held, model):
    """Return the components of three books."""
    return normal_components(decompose(held, model, 3), held.weight, held.account)


def test_components_add_up_to_the_normal_value_at_risk_and_are_those_of_the_full_covariance():
    held, model = books(1)
    found = normal(held, model)
    for one in range(3):
        mine = held.account == one
        b = model.loadings[mine]
        covariance = b @ model.covariance @ b.T + np.diag(model.specific_variance[mine])
        whole = found_of(held.weight[mine], covariance)
        assert found.volatility[one] == pytest.approx(whole.volatility[0], rel=1e-12)
        assert found.marginal[mine] == pytest.approx(whole.marginal, rel=1e-9)
        assert found.component[mine].sum(axis=0) == pytest.approx(
            normal_risk(whole.volatility).value_at_risk[0], rel=1e-12
        )


def test_marginal_risk_is_the_slope_of_the_whole():
    held, model = books(2)
    found = normal(held, model)
    for holding in (0, 5, 9):
        moved = {}
        for sign in (1, -1):
            weight = held.weight.copy()
            weight[holding] += sign
            moved[sign] = normal(replace(held, weight=weight), model).volatility
        slope = (moved[1] - moved[-1])[held.account[holding]] / 2
        assert found.marginal[holding] == pytest.approx(
            slope * stats.norm.ppf(CONFIDENCES), rel=1e-5
        )


def test_a_book_without_risk_has_no_components():
    held, model = books(3)
    nothing = RiskModel(0 * model.loadings, model.covariance, 0 * model.specific_variance)
    assert np.isnan(normal(held, nothing).component).all()


def scenarios(seed, sizes=(5, 1, 12), days=504):
    """Return P&L of holdings and of their books."""
    chance = np.random.default_rng(seed)
    book = np.repeat(np.arange(len(sizes)), sizes)
    common = chance.standard_t(5, days)
    holdings = chance.normal(1, 1, (len(book), 1)) * common + chance.standard_t(
        5, (len(book), days)
    )
    totals = np.zeros((len(sizes), days))
    np.add.at(totals, book, holdings)
    return totals, holdings, book


def parts(pnl, holdings, book):
    """Return the components of the books' historical risk, and that risk."""
    risk = historical_risk(pnl)
    days = pnl.shape[1]
    worst = worst_scenarios(pnl, component_depth(days))
    gathered = np.take_along_axis(holdings, worst[book], axis=1)
    return tail_components(gathered, book, risk, days), risk


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([250, 252, 500, 504, 1000]))
def test_components_add_up_to_the_book_s_risk(seed, days):
    pnl, holdings, book = scenarios(seed, days=days)
    found, risk = parts(pnl, holdings, book)
    for name in ("value_at_risk", "expected_shortfall"):
        total = np.zeros((3, 3))
        np.add.at(total, book, getattr(found, name))
        assert total == pytest.approx(getattr(risk, name), rel=1e-9, abs=1e-9)


def test_a_component_of_expected_shortfall_is_the_mean_over_the_tail_days():
    pnl, holdings, book = scenarios(4, days=500)
    found, _ = parts(pnl, holdings, book)
    for holding, owner in enumerate(book):
        days = np.argsort(pnl[owner])[:5]
        assert found.expected_shortfall[holding, 2] == pytest.approx(
            -holdings[holding, days].mean(), rel=1e-12
        )


def test_the_kernel_finds_the_normal_components_of_a_normal_book():
    """Of jointly normal holdings, a component is known: h (Sigma h) / (h Sigma h) of the VaR."""
    chance = np.random.default_rng(5)
    root = chance.normal(size=(4, 4))
    covariance = root @ root.T
    draws = chance.multivariate_normal(np.zeros(4), covariance, 400 * 504).T.reshape(4, 400, 504)
    book, total = np.zeros(4, np.int64), np.zeros((4, 3))
    for sample in range(400):
        holdings = draws[:, sample]
        total += parts(holdings.sum(axis=0)[None], holdings, book)[0].value_at_risk
    exact = found_of(np.ones(4), covariance).component
    # 400 samples of 504 days: the mean's own error is 1 to 2 % of the whole.
    assert total / 400 == pytest.approx(exact, abs=0.04 * exact.sum(axis=0).max())


def test_a_hedge_takes_away_and_nothing_adds_nothing():
    _, holdings, book = scenarios(6, sizes=(2,))
    holdings = np.stack([holdings[0], -0.5 * holdings[0], np.zeros_like(holdings[0])])
    book = np.zeros(3, np.int64)
    found, risk = parts(holdings.sum(axis=0)[None], holdings, book)
    assert found.value_at_risk[0] == pytest.approx(2 * risk.value_at_risk[0])
    assert found.value_at_risk[1] == pytest.approx(-risk.value_at_risk[0])
    assert found.expected_shortfall[2].tolist() == [0, 0, 0]


def test_a_book_that_cannot_lose_has_no_value_at_risk_to_share_out():
    holdings = np.stack([np.full(504, 1.0), np.full(504, -1.0)])
    found, _ = parts(np.zeros((1, 504)), holdings, np.zeros(2, np.int64))
    assert np.isnan(found.value_at_risk).all()


@pytest.mark.parametrize("sizes", [(5, 1, 12), (1500, 3)])
def test_incremental_risk_is_the_book_s_less_that_of_the_book_without(sizes):
    pnl, holdings, book = scenarios(7, sizes=sizes, days=252)
    found = incremental_risk(pnl, holdings, book)
    whole = historical_risk(pnl)
    for holding in (0, len(book) // 2, len(book) - 1):
        owner = book[holding]
        rest = historical_risk((pnl[owner] - holdings[holding])[None])
        assert found.value_at_risk[holding] == pytest.approx(
            whole.value_at_risk[owner] - rest.value_at_risk[0]
        )
        assert found.expected_shortfall[holding] == pytest.approx(
            whole.expected_shortfall[owner] - rest.expected_shortfall[0]
        )
