"""Volatility from opening, highest, lowest and closing prices: a walk whose variance is known."""

from math import log

import numpy as np
import pytest

from risk_engine.quant.ranges import (
    Bars,
    garman_klass_volatility,
    realised_variance,
    yang_zhang_volatility,
)

YEAR = np.sqrt(252)
NIGHT, DAY = 0.005, 0.01


def walked(sessions=63, symbols=400, steps=60, drift=0.0, seed=1):
    """Return bars of a Brownian motion with a drift by day, (sessions, symbols).

    Between its steps the path is a bridge, whose extremes are drawn from their own law.
    """
    chance = np.random.default_rng(seed)
    night = chance.normal(0, NIGHT, (sessions, symbols))
    moves = chance.normal(drift / steps, DAY / np.sqrt(steps), (sessions, symbols, steps))
    after = np.cumsum(moves, axis=2)
    spread = [np.log(chance.random(moves.shape)) for _ in range(2)]
    highest, lowest = (
        after - moves / 2 + side * np.sqrt(moves**2 - 2 * DAY**2 / steps * one) / 2
        for side, one in zip((1, -1), spread, strict=True)
    )
    opening = 100 * np.exp(night)
    return Bars(
        open=opening,
        high=opening * np.exp(highest.max(axis=2)),
        low=opening * np.exp(lowest.min(axis=2)),
        close=opening * np.exp(after[:, :, -1]),
        log_return=night + after[:, :, -1],
    )


def test_a_session_s_variance_is_its_night_squared_and_garman_and_klass_s_day():
    bars = Bars(*(np.array([[x]]) for x in (102.0, 106.0, 101.0, 105.0, log(105 / 100))))
    night, day = log(102 / 100), 0.5 * log(106 / 101) ** 2
    expected = night**2 + day - (2 * log(2) - 1) * log(105 / 102) ** 2
    assert realised_variance(bars)[0, 0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("broken", ["open", "high", "low", "close", "log_return"])
def test_a_bar_that_is_no_bar_is_not_known(broken):
    sound = {"open": 102.0, "high": 106.0, "low": 101.0, "close": 105.0, "log_return": 0.05}
    worse = {"open": 107.0, "high": 104.0, "low": 0.0, "close": 100.0, "log_return": np.nan}
    cells = {**sound, broken: worse[broken]}
    bars = Bars(**{name: np.array([[value]]) for name, value in cells.items()})
    assert np.isnan(realised_variance(bars)).all()


def test_yang_zhang_is_the_formula_written_out_for_one_window():
    bars = walked(sessions=21, symbols=1)
    o, h, low, c = (x[:, 0] for x in (bars.open, bars.high, bars.low, bars.close))
    overnight = bars.log_return[:, 0] - np.log(c / o)
    by_range = [
        log(hi / cl) * log(hi / op) + log(lo / cl) * log(lo / op)
        for op, hi, lo, cl in zip(o, h, low, c, strict=True)
    ]
    k = 0.34 / (1.34 + 22 / 20)
    variance = np.var(overnight, ddof=1) + k * np.var(np.log(c / o), ddof=1)
    variance += (1 - k) * np.mean(by_range)
    measured = yang_zhang_volatility(bars, 21)[-1, 0]
    assert measured == pytest.approx(np.sqrt(variance * 252), rel=1e-12)


@pytest.mark.parametrize("drift", [0.0, 0.01])
def test_yang_zhang_is_right_whatever_the_drift_and_closer_than_closes(drift):
    """Its error is a third of that of closes: as good as eight times the sessions."""
    bars = walked(drift=drift)
    measured = (yang_zhang_volatility(bars, 63)[-1] / YEAR) ** 2
    closes = bars.log_return.var(axis=0, ddof=1)
    assert np.mean(measured) == pytest.approx(NIGHT**2 + DAY**2, rel=0.01)
    assert np.std(measured) < 0.4 * np.std(closes)


def test_garman_klass_takes_a_drift_for_volatility_and_yang_zhang_does_not():
    strong = walked(drift=0.02)
    yang_zhang, garman_klass = (
        np.mean((measure(strong, 63)[-1] / YEAR) ** 2) / (NIGHT**2 + DAY**2)
        for measure in (yang_zhang_volatility, garman_klass_volatility)
    )
    assert yang_zhang == pytest.approx(1, rel=0.01)
    assert garman_klass > 1.3


def test_a_split_is_no_move():
    """Prices halve overnight, the total return does not: it is what the night is made of."""
    bars = walked(symbols=3)
    halved = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
    for prices in halved.values():
        prices[30:] /= 2
    split = Bars(**halved, log_return=bars.log_return)
    for measure in (garman_klass_volatility, yang_zhang_volatility):
        np.testing.assert_allclose(measure(split, 63), measure(bars, 63), rtol=1e-10)
