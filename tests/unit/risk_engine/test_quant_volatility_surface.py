"""A volatility between quoted ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from risk_engine.quant.volatility_surface import nearby_volatility

NAN = float("nan")


def nearby(moneyness, years, *quoted):
    columns = (np.array([column], dtype=float) for column in zip(*quoted, strict=True))
    return nearby_volatility(np.array([moneyness]), np.array([years]), *columns)[0]


def test_at_a_quoted_point_it_is_that_point_s():
    found = nearby(0.1, 0.5, (0.1, 0.5, 0.30), (-0.2, 0.5, 0.40), (0.1, 1.0, 0.25))
    np.testing.assert_allclose(found, 0.30, atol=1e-6)


def test_halfway_between_two_it_is_their_mean():
    np.testing.assert_allclose(nearby(0, 1, (-0.1, 1, 0.2), (0.1, 1, 0.3)), 0.25, rtol=1e-12)
    np.testing.assert_allclose(nearby(0, 1, (0, 0.5, 0.2), (0, 2, 0.3)), 0.25, rtol=1e-12)


def test_twice_as_far_counts_a_quarter():
    found = nearby(0, 1, (0.1, 1, 0.2), (-0.2, 1, 0.3))
    np.testing.assert_allclose(found, (0.2 + 0.3 / 4) / 1.25, rtol=1e-5)


def test_what_is_not_known_counts_for_nothing():
    assert nearby(0, 1, (0.1, 1, 0.2), (NAN, 1, 0.9), (0, 1, NAN), (0, NAN, 0.9)) == 0.2
    assert np.isnan(nearby(0, 1, (NAN, NAN, NAN)))
    assert np.isnan(nearby(NAN, 1, (0.1, 1, 0.2)))


@given(
    points=st.lists(
        st.tuples(st.floats(-2, 2), st.floats(0.01, 5), st.floats(0.05, 2)), min_size=1, max_size=6
    ),
    moneyness=st.floats(-3, 3),
    years=st.floats(0.01, 5),
)
def test_it_is_never_outside_what_is_quoted_nor_moved_by_order(points, moneyness, years):
    found = nearby(moneyness, years, *points)
    volatilities = [point[2] for point in points]
    assert min(volatilities) - 1e-12 <= found <= max(volatilities) + 1e-12
    np.testing.assert_allclose(nearby(moneyness, years, *points[::-1]), found, rtol=1e-12)
