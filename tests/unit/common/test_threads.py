"""Tests do their arithmetic as the product's pool does."""

import numpy as np
from threadpoolctl import threadpool_info


def test_linear_algebra_runs_on_one_thread():
    assert np.ones((2, 2)) @ np.ones(2) is not None
    counts = {one["filepath"]: one["num_threads"] for one in threadpool_info()}
    assert counts
    assert set(counts.values()) == {1}
