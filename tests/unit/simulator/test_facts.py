"""Stylised facts: the market looks like one, and the measure of that can say otherwise."""

from datetime import date

import numpy as np
import pytest

from simulator import pictures
from simulator.__main__ import main
from simulator.facts import autocorrelation, stylised_facts
from simulator.fundamentals import fundamentals, last_quarter_end, sector_weights
from simulator.market import ANCHOR, Market
from simulator.universe import load_universe
from simulator.weather import Dial

END = date(2026, 11, 20)


@pytest.fixture(scope="module")
def facts():
    return stylised_facts(Market(), END, every=14)


def test_every_fact_is_in_its_usual_range(facts):
    assert [(fact.name, fact.value) for fact in facts.table if not fact.usual] == []


def test_a_textbook_market_is_found_out():
    steady = Dial(clustering=False, fat_tails=False)
    table = {fact.name: fact for fact in stylised_facts(Market(dial=steady), END, every=40).table}
    for name in (
        "excess kurtosis of a stock, median",
        "excess kurtosis of the index",
        "the same of absolute returns, lag 1",
        "the same, lag 20",
    ):
        assert not table[name].usual, name


def test_autocorrelation_is_that_of_a_known_process():
    shocks = np.random.default_rng(1).standard_normal((20_000, 4))
    series = np.zeros_like(shocks)
    for row in range(1, len(series)):
        series[row] = 0.6 * series[row - 1] + shocks[row]
    assert autocorrelation(series, 3) == pytest.approx([0.6, 0.36, 0.216], abs=0.02)


def test_a_picture_and_a_page_are_written(tmp_path, capsys, monkeypatch, facts):
    monkeypatch.setattr(pictures, "stylised_facts", lambda _market, _as_of: facts)
    main(["plot", "--as-of", "2026-11-20", "--directory", str(tmp_path / "new")])
    written = [tmp_path / "new" / name for name in ("market.png", "market.html")]
    assert capsys.readouterr().out.split() == [str(path) for path in written]
    assert written[0].read_bytes()[:4] == b"\x89PNG"
    page = written[1].read_text()
    assert "market.png" in page
    assert all(fact.name in page for fact in facts.table)


def test_market_capitalisation_grows_with_the_price_and_not_with_splits():
    market = Market()
    then, now = (fundamentals(market, ["AAPL", "SPX", "NO_SUCH"], day) for day in (ANCHOR, END))
    known = load_universe().securities["AAPL"]
    assert set(now) == {"AAPL", "SPX"}
    assert then["AAPL"].market_cap == known.market_cap
    assert now["AAPL"].market_cap == pytest.approx(
        known.market_cap * market.growth(["AAPL"], END)[0], rel=1e-9
    )
    assert now["SPX"].market_cap is None
    assert now["AAPL"].beta == known.loadings["market"]
    assert now["AAPL"].dividend_yield == known.dividend_yield


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 11, 20), date(2026, 9, 30)),
        (date(2026, 3, 31), date(2026, 3, 31)),
        (date(2026, 3, 30), date(2025, 12, 31)),
        (date(2024, 1, 16), date(2023, 12, 29)),
    ],
)
def test_a_quarter_has_ended_on_its_last_session(day, end):
    assert last_quarter_end(day) == end


def test_sector_weights_sum_to_one_and_move_with_prices():
    market = Market()
    (first_end, first), (last_end, last) = (sector_weights(market, day) for day in (ANCHOR, END))
    assert (first_end, last_end) == (date(2023, 12, 29), date(2026, 9, 30))
    for weights in (first, last):
        assert sum(weights.values()) == pytest.approx(1, abs=1e-9)
        assert len(weights) == 11
        assert 0.15 < weights["Technology"] < 0.45
    assert first != last
