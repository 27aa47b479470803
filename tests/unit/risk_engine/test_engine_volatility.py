"""The volatility engine: books whose volatility is known by hand, strange books, and company."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from risk_engine.domain import History
from risk_engine.engine import correlation, exposure, factors, volatility
from risk_engine.engine.results import EngineResult, pack
from risk_engine.engine.volatility import calculate
from risk_engine.quant import har
from tests.unit.risk_engine import held
from tests.unit.risk_engine.books import option, position, private

YEAR = np.sqrt(252)
AAA, SHORT_TWIN = position(1, "AAA", "500", "90"), position(2, "TWIN", "-500", "90")
BBB = position(3, "BBB", "-200", "90")


def results(frame) -> list[EngineResult]:
    """Return the results of a frame's books; none of them fails."""
    answers = calculate(frame)
    found = [answer for answer in answers if isinstance(answer, EngineResult)]
    assert len(found) == len(answers) == len(frame.books)
    return found


def result(*books, **frame) -> EngineResult:
    """Return the result of the first of some books."""
    return results(held.frame(*books, **frame))[0]


def windows(measures):
    columns = measures["windows"]["table"]
    return {
        sessions: {name: cells[place] for name, cells in columns.items()}
        for place, sessions in enumerate(columns["sessions"].tolist())
    }


def codes(answer):
    return [note["code"] for note in answer.payload["notes"]]


def test_a_book_s_volatility_is_that_of_its_profits_over_net_asset_value():
    """Half of NAV long in AAA and a fifth short in BBB: .5 r_a - .2 r_b, per session."""
    answer = result(held.book(AAA, BBB))
    moves = held.drawn()
    profits = 0.5 * moves["AAA"] - 0.2 * moves["BBB"]
    assert answer.status == "ok"
    for sessions, row in windows(answer.payload["holdings"]).items():
        expected = profits[-sessions:].std(ddof=1) * YEAR
        assert row["volatility"] == pytest.approx(expected, rel=1e-9)
        assert row["dollars_per_session"] == pytest.approx(expected / YEAR * 100_000, rel=1e-9)
        assert row["low"] < row["volatility"] < row["high"]
        assert row["observations"] == sessions
    forecast = har.forecast_volatility(profits[:, None] ** 2)
    assert answer.payload["holdings"]["forecast"]["volatility"] == pytest.approx(
        forecast.volatility[0], rel=1e-8
    )
    assert answer.payload["holdings"]["forecast"]["model"] == "har_ewma_0.94"


def test_an_underlying_varies_as_a_book_of_it_alone_does():
    """Both by simple returns: those of logs differ by a few thousandths of themselves."""
    answer = result(held.book(AAA))
    rows, own = windows(answer.payload["holdings"]), answer.payload["underlyings"]["table"]
    for sessions, row in rows.items():
        assert own["weight"][0] * own[f"volatility_{sessions}d"][0] == pytest.approx(
            row["volatility"], rel=1e-12
        )


def test_a_hedge_has_no_volatility_whatever_its_gross_value():
    """The original divided by the net value of the holdings, which is nothing here."""
    answer = result(held.book(AAA, SHORT_TWIN))
    for row in windows(answer.payload["holdings"]).values():
        assert row["volatility"] == pytest.approx(0, abs=1e-12)
    assert answer.payload["underlyings"]["table"]["weight"].tolist() == [0.5, -0.5]


def test_lots_of_one_symbol_are_one_holding():
    """The original gave each lot the weight of the last."""
    lots = [replace(AAA, quantity=Decimal(q)) for q in (100, 150, 250)]
    together = windows(result(held.book(AAA)).payload["holdings"])
    apart = windows(result(held.book(*lots)).payload["holdings"])
    assert apart == together


def test_cash_lowers_the_share_and_leaves_the_dollars():
    poor, rich = (
        windows(result(held.book(AAA, equity=equity)).payload["holdings"])[252]
        for equity in ("50000", "200000")
    )
    assert poor["volatility"] == pytest.approx(4 * rich["volatility"])
    assert poor["dollars_per_session"] == pytest.approx(rich["dollars_per_session"])


def test_without_net_asset_value_there_are_dollars_alone():
    answer = result(held.book(AAA, equity="-10"))
    row = windows(answer.payload["holdings"])[63]
    assert np.isnan(row["volatility"])
    assert row["dollars_per_session"] > 0
    assert codes(answer) == ["no_realised_history", "net_asset_value_not_positive"]
    assert np.isnan(answer.payload["quality"]["of_net_asset_value"]["modelled"])
    assert answer.payload["quality"]["of_gross_value"]["modelled"] == 1


def test_an_empty_book_does_not_vary():
    answer = result(held.book())
    assert answer.status == "ok"
    assert windows(answer.payload["holdings"])[21]["volatility"] == 0
    assert np.isnan(answer.payload["holdings"]["percentile"])
    assert answer.payload["holdings"]["forecast"]["model"] is None
    assert answer.payload["holdings"]["trend"]["direction"] is None


def test_cash_and_its_like_vary_by_nothing_with_a_price_or_without():
    """A money-market fund's price is missing on some sessions, a cash position's on all."""
    moves = {**held.drawn(), "SPAXX": np.zeros(779)}
    moves["SPAXX"][300:700] = np.nan
    lines = (
        AAA,
        position(7, "SPAXX", "100", "100"),
        replace(private(8, "CASH_USD", "5000"), investment_subtype="cash"),
    )
    answer = result(held.book(*lines), of=held.market(moves, SPAXX="money_market"))
    alone = windows(result(held.book(AAA)).payload["holdings"])
    assert answer.status == "ok"
    assert windows(answer.payload["holdings"]) == alone
    assert answer.payload["quality"]["of_gross_value"]["modelled"] == 1


def test_what_a_money_market_fund_pays_is_no_risk():
    """0.4 % on every 21st session, at a price that stands still, were taken for a volatility."""
    moves = {**held.drawn(), "SPAXX": np.where(np.arange(779) % 21 == 0, 0.004, 0.0)}
    of = held.market(moves, SPAXX="money_market")
    answer = result(held.book(position(7, "SPAXX", "900", "100")), of=of)
    assert answer.status == "ok"
    holdings = answer.payload["holdings"]
    for row in windows(holdings).values():
        assert (row["volatility"], row["dollars_per_session"]) == (0, 0)
    assert (holdings["ewma"], holdings["downside"]) == (0, 0)
    for name in ("kurtosis", "percentile"):
        assert np.isnan(holdings[name])
    assert holdings["trend"]["direction"] is None
    assert np.isnan(holdings["trend"]["log_ratio"])
    assert np.isnan(holdings["forecast"]["volatility"])
    assert answer.payload["underlyings"]["table"]["volatility_252d"].tolist() == [0]
    beside = windows(
        result(held.book(AAA, position(7, "SPAXX", "500", "100")), of=of).payload["holdings"]
    )
    assert beside == windows(result(held.book(AAA)).payload["holdings"])


def test_what_nothing_is_known_of_is_left_out_and_said():
    """Half of the value is private, of which the model says nothing."""
    answer = result(held.book(AAA, private(4, "FUND", "50000")))
    assert answer.status == "partial"
    assert codes(answer) == ["unmodelled", "no_realised_history"]
    assert answer.payload["quality"]["of_gross_value"] == {
        "modelled": 0.5,
        "proxied": 0.0,
        "stale": 0.0,
        "unmodelled": 0.5,
    }
    nothing = result(held.book(private(4, "FUND", "50000")))
    assert nothing.status == "insufficient"
    assert np.isnan(windows(nothing.payload["holdings"])[252]["volatility"])


def test_private_assets_are_told_from_factors_with_what_is_their_own():
    """Twice the factor and as much again of its own: 1 % and 1 % a day make 1.41 %."""
    a_frame = held.frame(held.book(AAA, private(4, "FUND", "50000")))
    factor = np.random.default_rng(9).normal(0, 0.005, 779)
    a_frame = replace(a_frame, factor_model=held.one_factor(a_frame, factor, 2.0, 0.01))
    (answer,) = results(a_frame)
    assert answer.status == "ok"
    assert codes(answer) == ["proxied", "no_realised_history"]
    table = answer.payload["underlyings"]["table"]
    private_row = table["symbol"].index("FUND")
    assert table["source"][private_row] == "proxied"
    assert table["volatility_252d"][private_row] == pytest.approx(0.0141 * YEAR, rel=0.15)
    both, alone = (
        windows(answer.payload[name])[252]["volatility"] for name in ("holdings", "without_proxies")
    )
    assert alone == pytest.approx(0.5 * held.drawn()["AAA"][-252:].std(ddof=1) * YEAR, rel=1e-9)
    assert both > alone


def test_a_young_share_is_proxied_where_there_is_a_model_and_left_out_where_not():
    young = position(5, "YOUNG", "100", "90")
    answer = result(held.book(AAA, young))
    assert answer.status == "partial"
    a_frame = held.frame(held.book(AAA, young))
    factor = np.random.default_rng(9).normal(0, 0.01, 779)
    (answer,) = results(replace(a_frame, factor_model=held.one_factor(a_frame, factor, 1.0, 0.01)))
    assert answer.payload["underlyings"]["table"]["source"] == ["own", "proxied"]
    assert answer.payload["underlyings"]["table"]["observations"].tolist() == [252, 39]


def test_a_share_that_no_longer_trades_makes_the_result_stale():
    moves = held.drawn()
    moves["AAA"][-4:] = np.nan
    answer = result(held.book(AAA, BBB), of=held.market(moves))
    assert answer.status == "stale"
    assert "stale_prices" in codes(answer)


def test_every_engine_says_the_same_of_what_a_book_rests_on():
    """Own, a session old, never priced and told from a factor, and an option of no Greeks."""
    moves = {**held.drawn(), "NEVER": np.full(779, np.nan)}
    moves["CCC"][-1] = np.nan
    lines = (
        AAA,
        position(3, "CCC", "-300", "100"),
        position(4, "NEVER", "195", "100"),
        option(5, "1", "5"),
    )
    a_frame = held.frame(held.book(*lines), of=held.market(moves))
    factor = np.random.default_rng(9).normal(0, 0.005, 779)
    a_frame = replace(a_frame, factor_model=held.one_factor(a_frame, factor, 1.0, 0.01))
    parts = {"modelled": 0.5, "stale": 0.3, "proxied": 0.195, "unmodelled": 0.005}
    for engine in (volatility, correlation, exposure, factors):
        (answer,) = engine.calculate(a_frame)
        assert isinstance(answer, EngineResult)
        assert answer.payload["quality"]["of_gross_value"] == pytest.approx(parts)


def test_a_book_without_any_price_is_told_from_factors_or_not_at_all():
    """Two engines called it stale, two proxied: now it is what is known of it."""
    moves = {**held.drawn(), "NEVER": np.full(779, np.nan)}
    a_frame = held.frame(held.book(position(4, "NEVER", "200", "100")), of=held.market(moves))
    factor = np.random.default_rng(9).normal(0, 0.005, 779)
    told = replace(a_frame, factor_model=held.one_factor(a_frame, factor, 1.0, 0.01))
    for frame, part in ((a_frame, "unmodelled"), (told, "proxied")):
        for engine in (volatility, correlation, exposure, factors):
            (answer,) = engine.calculate(frame)
            assert isinstance(answer, EngineResult)
            quality = answer.payload["quality"]["of_gross_value"]
            assert [name for name, share in quality.items() if share == 1] == [part]
            assert sum(quality.values()) == 1


def test_an_option_without_greeks_is_not_taken_for_nothing():
    answer = result(held.book(AAA, option(6, "2", "4.50")))
    assert answer.status == "partial"
    assert "unmodelled" in codes(answer)


def test_the_realised_series_is_that_of_the_account_itself():
    """Its stored returns, and nothing of what is held now."""
    returns = np.random.default_rng(4).normal(0, 0.03, 100)
    worth: np.ndarray = 100_000 * np.cumprod(1 + returns)
    history = History(
        sessions=held.SESSIONS[-101:-1],
        net_asset_value=worth,
        daily_return=returns,
    )
    answer = result(held.book(AAA), histories=[history])
    realised = windows(answer.payload["realised"])
    assert realised[63]["volatility"] == pytest.approx(returns[-62:].std(ddof=1) * YEAR)
    assert realised[63]["observations"] == 62
    assert realised[252]["observations"] == 100
    assert "no_realised_history" not in codes(answer)
    assert windows(answer.payload["holdings"])[63]["volatility"] < 0.2


@pytest.mark.parametrize(
    ("factor", "direction"), [(3.0, "increasing"), (1.0, "stable"), (0.2, "decreasing")]
)
def test_the_trend_is_named(factor, direction):
    moves = held.drawn()
    moves["AAA"][-21:] *= factor
    trend = result(held.book(AAA), of=held.market(moves)).payload["holdings"]["trend"]
    assert trend["direction"] == direction


def test_turning_the_book_around_changes_nothing():
    long, short = (
        windows(result(held.book(position(1, "AAA", q, "90"))).payload["holdings"])
        for q in ("500", "-500")
    )
    for sessions in long:
        assert short[sessions]["volatility"] == long[sessions]["volatility"]


def test_company_and_order_change_not_a_bit():
    one = held.book(AAA, BBB, private(4, "FUND", "5000"))
    other = held.book(position(7, "CCC", "100", "90"), number=2)
    turned = replace(one, positions=one.positions[::-1])
    alone = pack(results(held.frame(one))[0].payload)
    assert pack(results(held.frame(other, one))[1].payload) == alone
    assert pack(results(held.frame(turned))[0].payload) == alone


def test_a_panel_of_few_sessions_says_it_is_too_short():
    short = held.market()
    prices = replace(
        short.prices,
        sessions=short.prices.sessions[-8:],
        close=short.prices.close[-8:],
        split_ratio=short.prices.split_ratio[-8:],
        dividend=short.prices.dividend[-8:],
    )
    answer = result(held.book(AAA), of=replace(short, prices=prices, reference=prices))
    assert answer.status == "insufficient"
    assert np.isnan(windows(answer.payload["holdings"])[21]["volatility"])
