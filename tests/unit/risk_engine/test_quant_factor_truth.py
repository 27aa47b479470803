"""On the simulated market, whose truth is known, estimates are as good as they say.

Twenty seeds and few stocks; `tests/benchmarks/test_factors.py` has four times as many.
"""

import numpy as np
import pytest

from tests.support.factor_truth import covered, estimates, slope, stocks


@pytest.fixture(scope="module")
def found():
    symbols = stocks(every=160)
    return [estimates(seed, symbols) for seed in range(20)]


def test_intervals_of_market_betas_cover_the_truth(found):
    raw = [covered(one.betas.beta, one.betas.error, one.beta) for one in found]
    shrunk = [covered(one.shrunk, one.shrunk_error, one.beta) for one in found]
    assert 0.93 < np.mean(raw) < 0.97
    assert 0.93 < np.mean(shrunk) < 0.97


def test_intervals_of_loadings_cover_the_truth(found):
    plain = [covered(one.plain.loadings, one.plain.errors, one.loadings) for one in found]
    posterior = [
        covered(one.posterior.loadings, one.posterior.errors, one.loadings) for one in found
    ]
    assert 0.93 < np.mean(plain) < 0.97
    assert 0.93 < np.mean(posterior) < 0.97


def test_an_interval_for_another_truth_does_not_cover_it(found):
    """The harness can tell: betas of twice what they are are found out."""
    wrong = [covered(one.betas.beta, one.betas.error, 2 * one.beta) for one in found]
    assert np.mean(wrong) < 0.2


def test_a_shrunk_beta_is_more_to_be_taken_at_its_word(found):
    """High ones are high by luck as well. How much so depends on the stocks: see the benchmark."""
    truth = np.concatenate([one.beta for one in found])
    shrunk = np.concatenate([one.shrunk for one in found])
    raw = np.concatenate([one.betas.beta for one in found])
    assert slope(raw, truth) < 0.9 < slope(shrunk, truth) < 1.05


def test_shrinking_brings_loadings_nearer_to_the_truth(found):
    def miss(which):
        return np.mean(
            [(getattr(one, which).loadings - one.loadings) ** 2 for one in found], (0, 1)
        )

    assert (miss("posterior") < miss("plain")).all()


def test_out_of_the_sample_less_is_explained(found):
    explained = np.concatenate([one.posterior.r_squared for one in found])
    assert 0.1 < np.nanmedian(explained) < 0.5
