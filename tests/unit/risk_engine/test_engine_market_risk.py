"""The market risk engine on the simulated market: by hand, in parts, in company, strange books."""

from dataclasses import replace

import numpy as np
import pytest

from risk_engine.engine.market_risk import METHODS, SCOPES
from risk_engine.engine.results import pack
from risk_engine.quant.parametric import student_t_risk
from risk_engine.quant.value_at_risk import CONFIDENCES
from risk_engine.schemas.market_risk import Shares
from tests.support.simulated import AS_OF, simulated_market
from tests.unit.risk_engine.at_risk import (
    CALL,
    FILTERED,
    HISTORICAL,
    MONTE_CARLO,
    OPENING,
    SHARES,
    SYMBOLS,
    book,
    calculate,
    closes_of,
    codes,
    filtered,
    frame_of,
    losses_of,
    read,
    result,
    results,
    shortfall,
    value_at_risk,
)
from tests.unit.risk_engine.books import option, position, private


@pytest.fixture(scope="module")
def market():
    """A market of six symbols."""
    return simulated_market(SYMBOLS)


@pytest.mark.parametrize(
    ("method", "as_of_now"), [(FILTERED, filtered), (HISTORICAL, lambda returns: returns)]
)
def test_a_book_of_shares_by_hand(market, method, as_of_now):
    answer = result(market, *SHARES)
    pnl = sum(
        float(one.quantity) * close * as_of_now(returns)
        for one in SHARES
        for returns, close in [closes_of(market, one.symbol)]
    )
    worst, mean = losses_of(pnl)
    assert answer.status == "ok"
    assert value_at_risk(answer, method)[2] == pytest.approx(worst, rel=1e-9)
    assert shortfall(answer, method)[2] == pytest.approx(mean, rel=1e-9)


def test_worst_days_are_the_book_s_with_their_dates(market):
    answer = result(market, *SHARES)
    days = answer.payload["worst_days"]["table"]
    assert len(days["session"]) == 10
    assert days["filtered_pnl"][4] == -value_at_risk(answer)[2]
    returns, close = closes_of(market, "AAPL")
    bonds, bond_close = closes_of(market, "TLT")
    row = [day.isoformat() for day in market.prices.sessions].index(days["session"][0]) - 1
    assert days["pnl"][0] == pytest.approx(
        100 * close * returns[row] + 300 * bond_close * bonds[row]
    )


def test_components_add_up_to_the_book_s_risk_by_position_and_by_factor(market):
    answer = result(market, *SHARES, position(3, "TSLA", "-40", "200"), CALL)
    parts = answer.payload["components"]
    assert parts["confidence"] == 0.99
    for rows in (parts["positions"]["table"], parts["factors"]["table"]):
        assert np.sum(rows["value_at_risk"]) == pytest.approx(value_at_risk(answer)[2], rel=1e-9)
        assert np.sum(rows["expected_shortfall"]) == pytest.approx(shortfall(answer)[2], rel=1e-9)
        normal = value_at_risk(answer, METHODS.index("parametric_normal"))[2]
        assert np.sum(rows["normal_value_at_risk"]) == pytest.approx(normal, rel=1e-9)


def test_incremental_risk_is_that_of_the_book_less_that_of_the_rest(market):
    positions = [*SHARES, position(3, "TSLA", "-40", "200"), CALL]
    rests = ([other for other in positions if other is not one] for one in positions)
    answer, *without = results(market, positions, *rests)
    rows = answer.payload["components"]["positions"]["table"]
    for one, rest in zip(positions, without, strict=True):
        place = rows["position_id"].index(str(one.id))
        assert rows["incremental_value_at_risk"][place] == pytest.approx(
            value_at_risk(answer)[2] - value_at_risk(rest)[2], abs=1e-6
        )
        assert rows["incremental_expected_shortfall"][place] == pytest.approx(
            shortfall(answer)[2] - shortfall(rest)[2], abs=1e-6
        )


def test_private_assets_are_in_the_numbers_and_beside_them(market):
    answer, without = results(market, [*SHARES, private(9, "FUND", "80000")], SHARES)
    assert answer.status == "ok"
    assert "positions_proxied" in codes(answer)
    for method in range(len(METHODS)):
        assert value_at_risk(answer, method, 1) == pytest.approx(
            value_at_risk(without, method), rel=1e-9
        )
        assert (value_at_risk(answer, method) > value_at_risk(without, method)).all()
    shares = answer.payload["quality"]["of_net_asset_value"]
    assert shares["proxied"] == pytest.approx(80_000 / answer.payload["net_asset_value"])
    assert answer.payload["liquidity_adjusted"]["positions_without_volume"] == 1
    assert "volume_not_known" in codes(answer)


def test_monte_carlo_of_the_index_fund_is_the_market_factor_s_student_t(market):
    frame = frame_of(market, book([position(1, "SPY", "100", "500")]))
    model = frame.factor_model
    loadings, own = model.loadings[0], model.specific_variance[0]
    volatility = (loadings @ model.covariance @ loadings + own) ** 0.5
    exact = student_t_risk(np.array([frame.exposures.value[0] * volatility]))
    answer = calculate(frame)[0]
    assert value_at_risk(answer, MONTE_CARLO) == pytest.approx(exact.value_at_risk[0], rel=0.03)
    assert shortfall(answer, MONTE_CARLO) == pytest.approx(exact.expected_shortfall[0], rel=0.03)


def test_selling_everything_short_reads_the_other_tail(market):
    long, short = results(
        market, *([position(1, "AAPL", quantity, "50")] for quantity in ("100", "-100"))
    )
    returns, close = closes_of(market, "AAPL")
    assert value_at_risk(short)[2] == pytest.approx(losses_of(-100 * close * filtered(returns))[0])
    normal = METHODS.index("parametric_normal")
    assert value_at_risk(short, normal) == pytest.approx(value_at_risk(long, normal))
    assert value_at_risk(short, MONTE_CARLO) == pytest.approx(value_at_risk(long, MONTE_CARLO))


def test_twice_the_book_is_twice_the_risk_and_more_cash_is_none(market):
    once, twice, richer = calculate(
        frame_of(
            market,
            book(SHARES),
            book([replace(one, quantity=2 * one.quantity) for one in SHARES], 2),
            book(SHARES, 3, equity="900000"),
        )
    )
    for method in range(len(METHODS)):
        assert value_at_risk(twice, method) == pytest.approx(2 * value_at_risk(once, method))
        assert value_at_risk(richer, method) == pytest.approx(value_at_risk(once, method))


def test_a_book_in_company_has_the_same_bytes(market):
    one = book([*SHARES, CALL, private(9, "FUND", "80000")])
    others = [
        book([position(5, "TSLA", "10", "200"), option(8, "-2", "9")], number=2),
        book([position(6, "JPM", "10", "200"), private(4, "ALPHA", "10")], number=3),
    ]
    alone = calculate(frame_of(market, one))[0]
    among = calculate(frame_of(market, *others, one))[2]
    assert pack(alone.payload) == pack(among.payload)


def test_a_book_of_cash_loses_nothing(market):
    answer = result(market)
    assert answer.status == "ok"
    assert np.array_equal(np.abs(answer.payload["measures"]["value_at_risk"]), np.zeros((2, 7, 3)))


def test_what_cannot_be_modelled_is_counted_and_left_out(market):
    known = result(market, *SHARES)
    frame = frame_of(market, book([*SHARES, CALL]))
    contracts = frame.contracts
    blind = replace(contracts.terms, volatility=np.full(len(contracts), np.nan))
    answer = calculate(replace(frame, contracts=replace(contracts, terms=blind)))[0]
    assert answer.status == "partial"
    assert "positions_not_modelled" in codes(answer)
    assert value_at_risk(answer) == pytest.approx(value_at_risk(known))
    assert answer.payload["quality"]["of_gross_value"]["unmodelled"] > 0
    assert read(answer).components is not None
    parts = read(answer).quality.of_gross_value
    assert parts.not_modelled == parts.unmodelled > 0
    assert parts.modelled + parts.proxied + parts.stale + parts.unmodelled == pytest.approx(1)


def test_results_of_before_say_what_is_not_modelled_by_its_old_name():
    before = {"modelled": 0.5, "proxied": 0.2, "not_modelled": 0.3, "stale": 0.1}
    assert Shares.model_validate(before).unmodelled == 0.3


def test_a_book_without_value_has_money_and_no_shares(market):
    answer = result(market, *SHARES, equity="-500000")
    assert "net_asset_value_not_positive" in codes(answer)
    assert np.isfinite(value_at_risk(answer)).all()
    assert np.isnan(answer.payload["quality"]["of_net_asset_value"]["modelled"])
    assert {one.value_at_risk_share for one in read(answer).measures} == {None}


def test_what_takes_days_to_sell_is_riskier(market):
    """A fifth of the average of twenty volumes a day: sold in 2 days, risk is the root of 1.25."""
    column = market.prices.columns["AAPL"]
    days = market.prices.volume[-20:, column].mean() * 0.2
    quantity = str(round(1.5 * days))
    answer = result(market, position(1, "AAPL", quantity, "50"))
    assert answer.payload["liquidity_adjusted"]["value_at_risk"] == pytest.approx(
        value_at_risk(answer) * 1.25**0.5
    )


def shortened(market, sessions):
    """Return a market whose panel has fewer sessions."""
    names = ("close", "split_ratio", "dividend", "open", "high", "low", "volume")
    tables = {name: getattr(market.prices, name)[-sessions:] for name in names}
    return replace(
        market, prices=replace(market.prices, sessions=market.prices.sessions[-sessions:], **tables)
    )


@pytest.mark.parametrize(
    ("sessions", "known", "status"),
    [(600, 3, "ok"), (200, 2, "ok"), (60, 0, "insufficient"), (2, 0, "insufficient")],
)
def test_a_short_history_says_less(market, sessions, known, status):
    held = [replace(one, entry_date=OPENING) for one in SHARES]
    last = market.prices.sessions[-min(sessions, 20)]
    one = replace(book(held), opening_session=last)
    answer = calculate(frame_of(shortened(market, sessions), one))[0]
    assert np.isfinite(value_at_risk(answer)).sum() == known
    assert answer.payload["backtest"] is None
    assert "no_backtest" in codes(answer)
    if status == "insufficient":
        assert np.isnan(value_at_risk(answer)).all()
        assert "history_too_short" in codes(answer)
    read(answer)


def test_the_backtest_is_of_the_last_250_days(market):
    tested = result(market, *SHARES, CALL).payload["backtest"]
    assert (tested["days"], tested["last"]) == (250, AS_OF.isoformat())
    rows = tested["coverage"]["table"]
    assert rows["confidence"] == list(CONFIDENCES)
    assert (np.diff(rows["exceedances"]) <= 0).all()
    worst = tested["worst_days"]["table"]
    beyond = sum(
        -pnl > forecast for pnl, forecast in zip(worst["pnl"], worst["value_at_risk"], strict=True)
    )
    assert beyond == min(rows["exceedances"][2], 10)
    assert tested["basel_zone"] == ("green" if rows["exceedances"][2] < 5 else "yellow")


def test_a_stored_result_is_read_as_rows_with_horizons_and_shares(market):
    answer = result(market, *SHARES, CALL, private(9, "FUND", "80000"))
    told = read(answer)
    assert len(told.measures) == len(SCOPES) * len(METHODS) * len(CONFIDENCES) * 2
    rows = {(row.scope, row.method, row.confidence, row.horizon_days): row for row in told.measures}
    one, ten = (rows["all", "filtered_historical", 0.99, days] for days in (1, 10))
    assert one.value_at_risk == pytest.approx(value_at_risk(answer)[2], abs=0.005)
    assert ten.value_at_risk == pytest.approx(value_at_risk(answer)[2] * 10**0.5, abs=0.005)
    nav = answer.payload["net_asset_value"]
    assert one.value_at_risk_share == pytest.approx(value_at_risk(answer)[2] / nav, abs=1e-8)
    assert told.components is not None
    assert {one.symbol for one in told.components.positions} >= {"AAPL", "FUND"}
