"""The forecast of volatility: fitted as statsmodels and arch fit it, and better than an average."""

import numpy as np
import pytest
import statsmodels.api as sm
from arch.univariate import HARX
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.quant import har
from risk_engine.quant.volatility import ewma_volatility
from tests.unit.risk_engine.prices import log_returns

SESSIONS = 780


def clustered(series=4, seed=1, sessions=SESSIONS):
    """Return squared returns whose log variance remembers 97 % of itself."""
    chance = np.random.default_rng(seed)
    log_variance = np.zeros((sessions, series))
    for session in range(1, sessions):
        shock = chance.normal(0, 0.15, series)
        log_variance[session] = 0.97 * log_variance[session - 1] + shock
    return 1e-4 * np.exp(log_variance) * chance.normal(size=(sessions, series)) ** 2


def test_day_week_and_month_are_those_of_arch_s_regression():
    """On levels and one session ahead the two are the same regression."""
    variance = clustered(1) + 1e-5
    day, week, month = har.components(variance)
    x = np.column_stack([np.ones(SESSIONS), day, week, month])[21:-1]
    ours, *_ = np.linalg.lstsq(x, variance[22:, 0])
    scaled = HARX(1e4 * variance[:, 0], lags=[1, 5, 22], rescale=False).fit(disp="off")
    theirs = scaled.params.to_numpy()[:4] * [1e-4, 1, 1, 1]
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)


@pytest.mark.parametrize("horizon", [5, 21])
def test_the_fit_and_its_errors_are_statsmodels_s(horizon):
    variance = clustered()
    rows = har.regression_rows(variance, horizon)
    fitted = har.fit(rows, horizon)
    for one in range(variance.shape[1]):
        known = np.isfinite(rows.y[:, one])
        theirs = sm.OLS(rows.y[known, one], rows.x[known, one]).fit(
            cov_type="HAC", cov_kwds={"maxlags": horizon, "use_correction": False}
        )
        np.testing.assert_allclose(fitted.coefficients[one], theirs.params, rtol=1e-9)
        np.testing.assert_allclose(fitted.covariance[one], theirs.cov_params(), rtol=1e-8)
        assert fitted.deviation[one] == pytest.approx(np.sqrt(theirs.scale), rel=1e-10)
        assert fitted.rows[one] == known.sum() == SESSIONS - 21 - horizon


def test_a_row_s_outcome_is_the_mean_variance_of_the_sessions_after_it():
    variance = clustered(1)
    rows = har.regression_rows(variance)
    outcome = rows.scale[0] * np.exp(rows.y[300, 0])
    assert outcome == pytest.approx(variance[301:322, 0].mean(), rel=1e-12)
    assert np.isnan(rows.y[-21:]).all()
    assert np.isfinite(rows.x[-21:]).all()


def test_a_past_forecast_is_that_of_a_fit_to_what_was_known_then():
    variance = clustered(2)
    past = har.past_forecasts(har.regression_rows(variance))
    start = SESSIONS - 10 * 21
    known = har.regression_rows(variance[:start])
    alone = har.fit(known)
    # The mean that rows are divided by is another one, which an intercept takes up.
    x = np.stack([np.log(c[start + 5] / known.scale) for c in har.components(variance)], axis=-1)
    x = np.column_stack([np.ones(2), x])
    expected = np.einsum("sk,sk->s", x, alone.coefficients) + alone.deviation**2 / 2
    np.testing.assert_allclose(past[start + 5], known.scale * np.exp(expected), rtol=1e-9)


def test_the_future_does_not_change_a_past_forecast():
    variance = clustered(2)
    changed = variance.copy()
    changed[600:] *= 30
    before, after = (har.past_forecasts(har.regression_rows(v))[:600] for v in (variance, changed))
    assert np.isfinite(before[400:]).all()
    np.testing.assert_allclose(before, after, rtol=1e-8)


def test_it_is_right_on_the_average_where_volatility_never_changes():
    """The original forecast a fifth too little there: its target was |r|, not its root mean square.

    A geometric mean of noisy variances is half a percent low.
    """
    returns = np.random.default_rng(2).normal(0, 0.2 / np.sqrt(252), (SESSIONS, 600))
    forecast = har.forecast_volatility(returns**2)
    assert (forecast.model == har.HAR).all()
    assert np.mean(forecast.volatility) == pytest.approx(0.2, rel=0.015)


def test_where_volatility_clusters_its_band_holds_what_comes():
    """And what comes is nearer to it than to the average by age, as its past losses said."""
    variance = clustered(400, seed=5, sessions=SESSIONS + 21)
    forecast = har.forecast_volatility(variance[:SESSIONS])
    realised = variance[SESSIONS:].mean(axis=0)
    covered = (forecast.low**2 < 252 * realised) & (252 * realised < forecast.high**2)
    assert 0.93 < np.mean(covered) < 0.97
    average = ewma_volatility(np.sqrt(variance[:SESSIONS]), 0.94)[-1] ** 2
    loss = np.mean(har.qlike(realised, forecast.volatility**2 / 252))
    assert loss < 0.9 * np.mean(har.qlike(realised, average))
    assert np.mean(forecast.loss) < 0.9 * np.mean(forecast.ewma_loss)


def test_it_follows_a_volatility_that_has_doubled():
    returns = np.random.default_rng(4).normal(0, 0.01, (SESSIONS, 50))
    returns[-63:] *= 2
    before = har.forecast_volatility(returns[:-63] ** 2).volatility
    assert np.median(har.forecast_volatility(returns**2).volatility / before) > 1.6


def test_a_short_history_is_forecast_by_the_slow_average_and_a_shorter_one_not_at_all():
    variance = clustered(4)
    variance[: SESSIONS - 520, 1] = np.nan
    variance[: SESSIONS - 70, 2] = np.nan
    variance[: SESSIONS - 59, 3] = np.nan
    forecast = har.forecast_volatility(variance)
    np.testing.assert_array_equal(forecast.model, [har.HAR, har.EWMA, har.EWMA, har.NONE])
    slow = ewma_volatility(np.sqrt(variance), 0.97)[-1] * np.sqrt(252)
    np.testing.assert_allclose(forecast.volatility[1:3], slow[1:3], rtol=1e-12)
    assert np.isnan(forecast.volatility[3])
    np.testing.assert_array_equal(np.isnan(forecast.high), [False, False, True, True])


def test_what_never_varies_is_not_fitted_and_costs_the_others_nothing():
    """A constant variance makes day, week and month the same; of none at all nothing is known."""
    variance = clustered(3)
    alone = har.forecast_volatility(variance[:, :1])
    variance[:, 1], variance[:, 2] = 1e-4, 0.0
    forecast = har.forecast_volatility(variance)
    assert forecast.volatility[0] == alone.volatility[0]
    np.testing.assert_array_equal(forecast.model[1:], [har.EWMA, har.NONE])
    assert forecast.volatility[1] == pytest.approx(0.01 * np.sqrt(252))


def test_qlike_is_nothing_when_right_and_worse_for_too_little_than_for_too_much():
    one = np.array([1.0])
    assert har.qlike(one, one)[0] == 0
    assert har.qlike(one, one / 2)[0] > har.qlike(one, one * 2)[0] > 0


@settings(max_examples=10)
@given(st.integers(0, 10_000), st.sampled_from([1e-4, 0.25, 100.0]))
def test_it_scales_with_variance_and_does_not_depend_on_company(seed, scale):
    variance = clustered(3, seed=seed)
    variance[np.random.default_rng(seed).random(variance.shape) < 0.03] = np.nan
    variance[-1] = 1e-4
    forecast = har.forecast_volatility(variance)
    scaled = har.forecast_volatility(scale * variance).volatility
    np.testing.assert_allclose(scaled, np.sqrt(scale) * forecast.volatility, rtol=1e-8)
    turned = har.forecast_volatility(variance[:, [2, 0, 1]])
    alone = har.forecast_volatility(variance[:, :1])
    for field in ("volatility", "low", "high", "loss", "ewma_loss"):
        together = getattr(forecast, field)
        np.testing.assert_array_equal(getattr(turned, field), together[[2, 0, 1]])
        np.testing.assert_array_equal(getattr(alone, field), together[:1])


@pytest.mark.parametrize("name", ["sp500_dataset", "sp500_index"])
def test_on_real_prices_it_loses_less_than_the_average_by_age(name):
    """Every half-year of 33 years, from what was known: see docs/methodology/volatility.md."""
    returns = log_returns(name)
    ours, theirs = [], []
    for end in range(SESSIONS, len(returns) - 21, 126):
        known = returns[end - SESSIONS : end]
        realised = (returns[end : end + 21] ** 2).mean(axis=0)
        forecast = har.forecast_volatility(known**2).volatility ** 2 / 252
        ours.append(har.qlike(realised, forecast))
        theirs.append(har.qlike(realised, ewma_volatility(known, 0.94)[-1] ** 2))
    assert np.mean(ours) < 0.95 * np.mean(theirs)
