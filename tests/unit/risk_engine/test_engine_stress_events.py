"""Historical windows and reverse stress over a frame."""

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest
from scipy.stats import t as student_t

from risk_engine.domain import ScenarioSet, Window
from risk_engine.engine import stress
from risk_engine.engine.results import EngineResult, pack, unpack
from risk_engine.engine.stress_inputs import AXIS, stress_inputs
from risk_engine.engine.stress_replays import run_replays
from risk_engine.engine.stress_reverse import LOSSES, run_reverse
from risk_engine.quant.conditional import conditional_shocks, plausibility
from risk_engine.quant.factors import FACTORS
from risk_engine.quant.reverse_stress import full_profit, profit_gradient, reverse_stress
from risk_engine.schemas.base import plain
from tests.unit.risk_engine.stress_books import (
    EVERYTHING,
    OBSERVED,
    account,
    frame_of,
    listed,
    share,
    stress_market,
)

YESTERDAY = Window("yesterday", "The last session", date(2025, 12, 30), date(2025, 12, 31))
AUGUST = Window("august", "August 2024", date(2024, 8, 2), date(2024, 8, 30))
LONG_AGO = Window("long_ago", "Before own prices", date(2020, 2, 19), date(2020, 3, 23))
FILED = Window(
    "filed",
    "From a file",
    date(2000, 3, 24),
    date(2002, 10, 9),
    moves={"MKT": -0.4, "RATES": -0.02},
    volatility=0.5,
    source="A book",
)
UNSAID = Window("unsaid", "Nobody says", date(2000, 3, 24), date(2002, 10, 9))
TOMORROW = Window("tomorrow", "Not yet", date(2025, 12, 30), date(2026, 1, 5))
WINDOWS = (YESTERDAY, AUGUST, LONG_AGO, FILED, UNSAID, TOMORROW)


@cache
def recorded_market():
    """The market as if its past had happened."""
    market = stress_market()
    return replace(
        market,
        prices=replace(market.prices, provider="recorded"),
        reference=replace(market.reference, provider="recorded"),
    )


@cache
def inputs_of(*positions, equity="100000"):
    """Lay a book of its own out for stress."""
    return stress_inputs(frame_of(account(*positions, equity=equity), market=recorded_market()))


def payload_of(*positions, market=None):
    """Stress a book of its own; return what the engine says of it."""
    (answer,) = stress.calculate(frame_of(account(*positions), market=market or recorded_market()))
    assert isinstance(answer, EngineResult)
    return answer.payload


def replayed(*positions):
    """Replay WINDOWS on a book of its own; return profits by window."""
    runs = run_replays(inputs_of(*positions), WINDOWS)
    return runs, dict(zip((one.id for one in WINDOWS), runs.profit[0].tolist(), strict=True))


def held_value(symbol, number):
    """Return what some shares are worth."""
    prices = stress_market().prices
    return number * prices.close[-1, prices.columns[symbol]]


def test_a_share_lives_through_the_window_as_it_did():
    """Total returns of its own: raw closes moved by splits and dividends."""
    _, profit = replayed(share(1, "AAPL", "100"))
    prices = stress_market().prices
    column = prices.columns["AAPL"]
    for window in (YESTERDAY, AUGUST):
        rows = range(prices.rows[window.start] + 1, prices.rows[window.end] + 1)
        growth = 1.0
        for row in rows:
            close, before = prices.close[row, column], prices.close[row - 1, column]
            paid = prices.dividend[row, column]
            growth *= (close * prices.split_ratio[row, column] + paid) / before
        assert profit[window.id] == pytest.approx(held_value("AAPL", 100) * (growth - 1), rel=1e-9)


def test_without_prices_of_its_own_it_moves_as_the_factors_did():
    runs, profit = replayed(share(1, "AAPL", "100"))
    frame = inputs_of(share(1, "AAPL", "100")).frame
    sessions, returns = frame.factor_model.sessions, frame.factor_model.returns
    inside = [row for row, day in enumerate(sessions) if LONG_AGO.start < day <= LONG_AGO.end]
    assert len(inside) == 23
    log_return = 0.0
    for row in inside:
        for place, loading in enumerate(frame.factor_model.loadings[0]):
            move = returns[row, place]
            log_return += loading * (np.log1p(move) if place == AXIS.market else move)
    assert profit["long_ago"] == pytest.approx(
        held_value("AAPL", 100) * np.expm1(log_return), rel=1e-9
    )
    assert runs.own_share[0].tolist() == [1, 1, 0, 0, 0, 0]
    assert set(runs.sources[2]) == {"history"}


def test_a_fund_of_the_reference_lives_through_windows_older_than_the_panel():
    """SPY's closes of 2020 are in the reference's ten years, not in the panel's three."""
    held = (share(1, "SPY", "100"), share(2, "AAPL", "100"), listed(5, "put", "3"))
    runs, _ = replayed(*held)
    reference = stress_market().reference
    column, place = reference.columns["SPY"], WINDOWS.index(LONG_AGO)
    growth = 1.0
    for day in reference.sessions:
        if LONG_AGO.start < day <= LONG_AGO.end:
            row = reference.rows[day]
            close, before = reference.close[row, column], reference.close[row - 1, column]
            growth *= (close + reference.dividend[row, column]) / before
    alone, by_window = replayed(share(1, "SPY", "100"))
    assert by_window["long_ago"] == pytest.approx(held_value("SPY", 100) * (growth - 1), rel=1e-9)
    assert alone.own_share[0].tolist() == [1, 1, 1, 0, 0, 0]
    labels = {
        line.symbol: by[place]
        for line, by in zip(inputs_of(*held).lines, runs.replayed_by, strict=True)
    }
    assert labels == {"SPY": "own_history", "AAPL": "factors", held[2].symbol: "own_history"}
    # In the window from a file even SPY is told by the factors; unsaid ones by nothing.
    assert [by[3] for by in runs.replayed_by] == ["factors"] * 3
    assert [by[4] for by in runs.replayed_by] == [None] * 3


def test_moves_from_a_file_and_what_they_imply():
    runs, profit = replayed(share(1, "SPY", "100"))
    place = WINDOWS.index(FILED)
    stated = np.array([[FILED.moves.get(name, np.nan) for name in FACTORS]])
    expected = conditional_shocks(stated, inputs_of(share(1, "SPY", "100")).covariance)
    np.testing.assert_allclose(runs.moves[place], expected[0])
    assert runs.sources[place][:3] == ("file", "file", "expected")
    assert (runs.volatility[place], runs.volatility_sources[place]) == (0.5, "file")
    assert profit["filed"] == pytest.approx(-0.4 * held_value("SPY", 100), rel=2e-3)


def test_windows_nobody_knows_have_no_profit_and_a_reason():
    runs, profit = replayed(*EVERYTHING)
    assert runs.reasons == (None, None, None, None, "before_history", "after_as_of")
    assert np.isnan(profit["unsaid"])
    assert np.isnan(profit["tomorrow"])
    assert np.isnan(runs.moves[4:]).all()


def test_implied_volatility_moves_as_the_index_did():
    runs, profit = replayed(listed(5, "put", "3"))
    reference = stress_market().reference
    close = reference.close[:, reference.columns["VIX"]]
    for place, window in enumerate((YESTERDAY, AUGUST, LONG_AGO)):
        ends = [close[reference.rows[day]] for day in (window.end, window.start)]
        assert runs.volatility[place] == pytest.approx(ends[0] / ends[1] - 1)
    assert runs.volatility_sources[:4] == ("history", "history", "history", "file")
    assert np.isfinite(profit["august"])


def test_replays_are_read_with_what_they_rest_on():
    payload = payload_of(*EVERYTHING)
    replays = plain(unpack(pack(payload)))["replays"]
    assert len(replays) == 6
    known = {one["id"]: one for one in replays}
    assert known["covid_2020"]["status"] == "ok"
    assert known["carry_unwind_2024"]["own_history_share"] > 0.5
    for one in replays:
        if one["reason"] is None:
            assert one["percentage"] == pytest.approx(
                100 * one["profit"] / payload["net_asset_value"]
            )
            assert one["profit"] != one["profit_without_proxies"]


def test_simulated_sessions_are_no_crisis():
    """Only the file speaks of the past of a simulated market."""
    told = payload_of(*EVERYTHING, market=stress_market())
    replays = {one["id"]: one for one in plain(unpack(pack(told)))["replays"]}
    assert replays["covid_2020"]["status"] == "insufficient"
    assert replays["covid_2020"]["reason"] == "simulated_history"
    assert replays["covid_2020"]["profit"] is None
    filed = [one for one in replays.values() if one["reason"] is None]
    assert len(filed) == 3
    for one in filed:
        assert one["profit"] is not None
        assert set(one["move_sources"]) == {"file", "expected"}
        assert (one["own_history_share"], one["volatility_source"]) == (0, "file")
    assert "simulated_history" in {note["code"] for note in told["notes"]}
    assert "simulated_history" not in {note["code"] for note in payload_of(*EVERYTHING)["notes"]}


def test_a_program_without_windows_replays_none():
    market = replace(stress_market(), scenarios=ScenarioSet((), (), "nothing"))
    read = plain(unpack(pack(payload_of(*EVERYTHING, market=market))))
    assert (read["scenarios"], read["replays"]) == ([], [])
    assert len(read["reverse"]) == 4


def test_reverse_stress_finds_what_costs_a_tenth_and_a_fifth():
    inputs = inputs_of(*EVERYTHING)
    worth = inputs.frame.net_asset_value
    runs = run_reverse(inputs)
    assert LOSSES == (0.10, 0.20)
    np.testing.assert_allclose(runs.asked[0], worth[0] * np.array(LOSSES))
    np.testing.assert_allclose(runs.loss[0], runs.asked[0], rtol=1e-6)
    for place in range(2):
        shocks = runs.shocks[:, place]
        again = full_profit(inputs.book, shocks, runs.volatility[:, place], np.ones(1, bool))
        assert again[0] == pytest.approx(-runs.asked[0, place], rel=1e-6)
        likely = plausibility(shocks, inputs.covariance, np.full(1, 21.0))
        assert likely.distance[0] == runs.distance[0, place]
    assert runs.distance[0, 1] > runs.distance[0, 0]


def test_reverse_stress_of_the_market_is_a_fall_of_the_market():
    runs = run_reverse(inputs_of(share(1, "SPY", "100")))
    worth = inputs_of(share(1, "SPY", "100")).frame.net_asset_value[0]
    fall = 0.1 * worth / held_value("SPY", 100)
    assert runs.shocks[0, 0, AXIS.market] == pytest.approx(-fall, rel=0.02)


def test_a_loss_that_lies_the_other_way_is_found():
    """Short of the market today, and of its crash: a rise costs little, a fall costs more."""
    turned = (
        listed(1, "put", "-5"),
        listed(2, "near call", "-15"),
        listed(3, "far call", "15"),
    )
    inputs = inputs_of(*turned, equity="400000")
    runs = run_reverse(inputs)
    assert runs.reasons == ((None, None),)
    assert (runs.shocks[0, :, AXIS.market] < 0).all()
    np.testing.assert_allclose(runs.loss[0], runs.asked[0], rtol=1e-6)
    assert 0 < runs.distance[0, 0] < runs.distance[0, 1]


def test_reverse_stress_says_how_likely_the_loss_is():
    """One-sided, of the linear profit: Student's t with the loss's own standard deviation."""
    inputs = inputs_of(share(1, "SPY", "100"))
    runs = run_reverse(inputs)
    gradient = profit_gradient(inputs.book)[0]
    deviation = np.sqrt(21 * gradient @ inputs.covariance @ gradient)
    for place in range(2):
        linear = -gradient @ runs.shocks[0, place]
        law = student_t(5, scale=deviation * np.sqrt(3 / 5))
        assert runs.probability[0, place] == pytest.approx(law.sf(linear), rel=1e-4)
    assert 0 < runs.probability[0, 1] < runs.probability[0, 0] < 0.5


def test_lots_that_cancel_depend_on_no_factor():
    """Rounding leaves a gradient of 1e-11 dollars, and an event that cannot be would follow it."""
    lots = [share(place, "AAPL", one) for place, one in enumerate(("33.3", "66.6", "-99.9"), 1)]
    runs = run_reverse(inputs_of(*lots))
    assert runs.reasons == (("depends_on_no_factor",) * 2,)


def test_reverse_stress_says_why_there_is_no_answer():
    assert run_reverse(inputs_of()).reasons == (("depends_on_no_factor",) * 2,)
    small = run_reverse(inputs_of(share(1, "SPY", "1")))
    assert small.reasons == (("not_reached",) * 2,)
    assert np.isnan(small.shocks).all()


def test_reverse_stress_without_what_stands_in_for_something_else():
    """The same answer as for a book without it, worth as much."""
    reverse = plain(unpack(pack(payload_of(*EVERYTHING))))["reverse"]
    assert [one["without_proxies"] for one in reverse] == [False, False, True, True]
    worth = inputs_of(*EVERYTHING).frame.net_asset_value
    apart = inputs_of(*OBSERVED)
    covariance = apart.covariance
    for row, part in zip(reverse[2:], LOSSES, strict=True):
        found = reverse_stress(apart.book, covariance, part * worth)
        np.testing.assert_allclose(row["shocks"], found.shocks[0], rtol=1e-6, atol=1e-9)
        assert row["loss"] == pytest.approx(part * worth[0], rel=1e-6)
    listed_only = plain(unpack(pack(payload_of(share(1, "SPY", "100")))))["reverse"]
    assert [one["without_proxies"] for one in listed_only] == [False, False]
