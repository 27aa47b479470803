"""On the simulated market, whose truth is known, estimates are as good as they say.

Twenty seeds and few stocks; `tests/benchmarks/test_factors.py` has four times as many.
"""

import numpy as np
import pytest

from tests.support.factor_truth import covered, estimates, found_by_engine, slope, stocks


@pytest.fixture(scope="module")
def found():
    symbols = stocks(every=160)
    return [estimates(seed, symbols) for seed in range(20)]


@pytest.fixture(scope="module")
def engine():
    """What the engine finds of 48 shares, with the beliefs it forms itself."""
    symbols = stocks(every=80)
    return [found_by_engine(seed, symbols) for seed in range(20)]


def pooled(found, name):
    return np.concatenate([getattr(one, name) for one in found])


@pytest.mark.timeout(300)
def test_the_engine_s_market_betas_are_to_be_taken_at_their_word(engine):
    """A share whose beta is higher by 1 is truly higher by 1, within 5 %."""
    assert 0.95 < slope(pooled(engine, "shrunk"), pooled(engine, "beta")) < 1.05
    loadings, true = pooled(engine, "loadings"), pooled(engine, "true")
    assert 0.95 < slope(loadings[:, 0], true[:, 0]) < 1.05


def test_the_engine_s_intervals_cover_the_truth(engine):
    betas = [covered(one.shrunk, one.shrunk_error, one.beta) for one in engine]
    loadings = [covered(one.loadings, one.loading_errors, one.true) for one in engine]
    assert 0.93 < np.mean(betas) < 0.97
    assert 0.93 < np.mean(loadings) < 0.97


def test_the_engine_s_beliefs_are_those_of_the_cross_section(engine):
    """True betas lie 0.29 about their sectors' funds, loadings on styles 0.33 about 0."""
    beliefs = [one.model.beliefs for one in engine]
    assert {one.source for one in beliefs} == {"cross_section"}
    assert np.mean([one.market for one in beliefs]) == pytest.approx(0.27, abs=0.03)
    assert np.mean([one.styles for one in beliefs]) == pytest.approx(0.34, abs=0.05)
    assert np.mean([one.rates for one in beliefs]) < 1.5


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
