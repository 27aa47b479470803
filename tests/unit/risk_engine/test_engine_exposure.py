"""The exposure engine: the six positions on paper, strange books, and books in company."""

from dataclasses import replace

import numpy as np
import pytest

from risk_engine.domain import Benchmark, ConvexityLimits, History
from risk_engine.engine.exposure import calculate
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.results import EngineResult, pack
from risk_engine.engine.underlyings import Key
from tests.unit.risk_engine import held
from tests.unit.risk_engine.books import NAN, position
from tests.unit.risk_engine.exposed import SESSIONS, six_book, six_frame, six_market
from tests.unit.risk_engine.six_positions import (
    CLOSED,
    LONG,
    LONG_CALL,
    NAV,
    PRIVATE,
    SHORT,
    SHORT_PUT,
)

# Delta-adjusted, of the six: AAPL 80,000; the fund 50,000; XOM -928.60; RUT 54,947.69.
GROSS, NET = 185_876.29, 184_019.09


def result(*some_books, market=None, **limits) -> EngineResult:
    """Return the result of the first of some books."""
    market = replace(market or six_market(), limits=ConvexityLimits(**limits))
    answer = calculate(six_frame(*some_books, market=market))[0]
    assert isinstance(answer, EngineResult)
    return answer


def rows(table, key):
    """Return the rows of a table by one of its columns."""
    columns = table["table"]
    return {
        name: {column: cells[place] for column, cells in columns.items()}
        for place, name in enumerate(columns[key])
    }


def codes(answer):
    return {note["code"] for note in answer.payload["notes"]}


def test_the_totals_of_the_six_positions():
    """Shares of NAV: gross 185,876.29 / 305,761.26 = .6079131, net 184,019.09 / ... = .6018391."""
    payload = result().payload
    assert payload["net_asset_value"] == pytest.approx(NAV, abs=1e-8)
    values = payload["market_value"]
    assert values["gross"] == pytest.approx(118_217.44)
    assert values["short_share"] == pytest.approx(-34_578.09 / NAV)
    assert values["carried"] == 50_000
    delta = payload["delta_adjusted"]
    assert delta["gross"] == pytest.approx(GROSS, abs=0.005)
    assert delta["net"] == pytest.approx(NET, abs=0.005)
    assert delta["gross_share"] == payload["leverage"] == pytest.approx(0.6079131, abs=5e-8)
    assert delta["net_share"] == pytest.approx(0.6018391, abs=5e-8)
    assert payload["beta_adjusted_net"] == pytest.approx(227_199.58, abs=0.005)
    assert payload["notional"] == pytest.approx(410_000)


def test_the_six_positions_without_the_private_one():
    """Gross 185,876.29 - 50,000 = 135,876.29; market exposure 227,199.58 - 71,500 = 155,699.58."""
    payload = result().payload
    assert payload["delta_adjusted_without_proxied"]["gross"] == pytest.approx(
        135_876.29, abs=0.005
    )
    assert payload["beta_adjusted_net_without_proxied"] == pytest.approx(155_699.58, abs=0.005)


def test_the_convexity_of_the_six_positions_is_held_against_its_limits():
    """Gamma 6,497.84 / 305,761.26 = 2.125 % of NAV, vega 544.53 / 305,761.26 = .178 %."""
    answer = result()
    gamma, vega = answer.payload["dollar_gamma"], answer.payload["vega"]
    assert gamma["gross_share"] == pytest.approx(0.0212513, abs=5e-8)
    assert vega["gross_share"] == pytest.approx(0.0017809, abs=5e-8)
    assert (gamma["exceeded"], vega["exceeded"]) == (True, False)
    assert "gamma_limit_exceeded" in codes(answer)
    relaxed = result(gross_dollar_gamma=0.03, gross_vega=0.001)
    assert relaxed.payload["dollar_gamma"]["exceeded"] is False
    assert relaxed.payload["vega"]["exceeded"] is True


def test_the_sectors_of_the_six_positions():
    """Technology 80,000 + 13.9 % x 54,947.69 = 87,637.73, Energy -928.60 + 5.2 % = 1,928.68.

    Net equity is 80,000 - 928.60 + 54,947.69 = 134,019.09, above a fifth of NAV; technology weighs
    87,637.73 / 134,019.09 = .653920, energy 1,928.68 / 134,019.09 = .014391.
    """
    found = rows(result().payload["sectors"], "sector")
    technology, energy = found["Information Technology"], found["Energy"]
    assert technology["net"] == pytest.approx(87_637.73, abs=0.005)
    assert energy["long"] == pytest.approx(2_857.28, abs=0.005)
    assert energy["short"] == pytest.approx(-928.60, abs=0.005)
    assert technology["weight"] == pytest.approx(0.653920, abs=5e-7)
    assert energy["weight"] == pytest.approx(0.014391, abs=5e-7)
    assert technology["active"] == technology["weight"] - technology["benchmark"]
    assert technology["benchmark"] == pytest.approx(0.325 / 1.001)
    assert found["Private"]["net"] == 50_000
    assert np.isnan(found["Private"]["weight"])
    # AAPL; XOM and its call; the put on the index, as a fund; the private one.
    counts = {name: row["positions"] for name, row in found.items() if row["positions"]}
    assert counts == {"Information Technology": 1, "Energy": 2, "Funds": 1, "Private": 1}


def test_the_concentration_of_the_six_positions():
    """Shares of 185,876.29: .430394, .295612, .268996, .004996; squares .185239 + .087387 +
    .072359 + .000025 = .345009, so 2.898 names."""
    found = result().payload["concentration"]
    assert found["herfindahl"] == pytest.approx(0.345009, abs=2e-6)
    assert found["effective_number"] == pytest.approx(2.89847, abs=2e-5)
    assert found["top_1"] == pytest.approx(0.430394, abs=5e-7)
    assert found["top_3"] == pytest.approx(0.995004, abs=5e-7)
    assert (found["top_5"], found["names"]) == (pytest.approx(1.0), 4)


def test_the_variance_of_the_six_positions():
    """One market and 1 % each of their own, in units of 1 %: h = (80,000, 50,000, -928.60,
    54,947.69), betas (1.2, 1.43, .8, 1.1).

    Variance 227,199.58^2 + 80,000^2 + 50,000^2 + 928.60^2 + 54,947.69^2 = 5.161965e10 +
    1.192011e10 = 6.353976e10, its root 252,071. Alone: 80,000 x sqrt 2.44 = 124,964; 50,000 x
    sqrt 3.0449 = 87,248; 928.60 x sqrt 1.64 = 1,189; 54,947.69 x sqrt 2.21 = 81,685; together
    295,087. The ratio is 1.17065.
    """
    found = result().payload["diversification"]
    assert found["model_diversification_ratio"] == pytest.approx(1.17065, abs=1e-5)
    assert found["model_squared_ratio"] == pytest.approx(1.17065**2, abs=3e-5)
    assert 1 < found["principal_bets"] < found["torsion_bets"] < 4
    assert found["modelled_share"] == pytest.approx(1.0)


def test_the_liquidity_of_the_six_positions():
    """AAPL 400 / (20 % x 50 million) = .00004 days; XOM 300 / 3 million = .0001; the calls
    5 / (20 % x 10) = 2.5; the put 1 / (20 % x 50) = .1; nobody trades the fund.

    After one day all but 1.5 / 2.5 of the calls' 3,639.35 are sold: 118,217.44 - 2,183.61 =
    116,033.83. Known: 118,217.44 of 168,217.44.
    """
    found = result().payload["liquidity"]
    instruments = found["instruments"]["table"]
    days = dict(zip(instruments["basis"], instruments["days"].tolist(), strict=True))
    assert np.isnan(days["none"])
    found_days = np.sort(instruments["days"])[:-1]
    assert found_days == pytest.approx([0.00004, 0.0001, 0.1, 2.5])
    assert rows(found["instruments"], "days")[2.5]["scale"] == pytest.approx(np.sqrt(4 * 7 / 18))
    shares = found["sold"]["table"]["share"]
    assert shares == pytest.approx([116_033.83 / 118_217.44, 1.0, 1.0])
    assert found["known_share"] == pytest.approx(118_217.44 / 168_217.44)
    assert found["longest"] == pytest.approx(2.5)


def test_what_the_totals_of_the_six_positions_rest_on():
    """Modelled 118,217.44, proxied 50,000: of 168,217.44, or of a NAV of 305,761.26."""
    answer = result()
    quality = answer.payload["quality"]
    assert quality["of_gross_value"] == {
        "modelled": pytest.approx(118_217.44 / 168_217.44),
        "proxied": pytest.approx(50_000 / 168_217.44),
        "stale": 0,
        "unmodelled": 0,
    }
    assert quality["of_net_asset_value"]["modelled"] == pytest.approx(118_217.44 / NAV)
    assert answer.status == "ok"


def without_closes(symbol, sessions):
    """The market in which a share has no close in the last sessions."""
    market = six_market()
    close = market.prices.close.copy()
    close[-sessions:, market.prices.columns[symbol]] = NAN
    prices = replace(market.prices, close=close)
    return replace(market, prices=prices, reference=prices)


def test_an_old_price_makes_a_result_stale():
    book = six_book(lines=(LONG, SHORT))
    answer = result(book, market=without_closes(LONG.symbol, 1))
    assert answer.status == "stale"
    assert answer.payload["quality"]["of_gross_value"]["stale"] == pytest.approx(80 / 110)
    assert codes(answer) & {"stale_prices", "positions_without_price"} == {"stale_prices"}


def test_a_share_that_never_had_a_price_is_not_stale():
    """Every engine called such a book something else; here a factor speaks for it, or nothing."""
    market = without_closes(LONG.symbol, len(SESSIONS))
    frame = six_frame(six_book(lines=(LONG, SHORT)), market=market)
    values = replace(frame.valued.values, carried=np.array([True, False]))
    frame = replace(frame, valued=replace(frame.valued, values=values))
    for model, part in (
        (frame.factor_model, "proxied"),
        (replace(frame.factor_model, recent=frame.factor_model.recent + NAN), "unmodelled"),
    ):
        answer = calculate(replace(frame, factor_model=model))[0]
        assert isinstance(answer, EngineResult)
        assert answer.status == "partial"
        assert answer.payload["quality"]["of_gross_value"] == {
            "modelled": pytest.approx(30 / 110),
            "proxied": 0,
            "stale": 0,
            "unmodelled": 0,
        } | {part: pytest.approx(80 / 110)}
        assert codes(answer) & {"stale_prices", "positions_without_price"} == {
            "positions_without_price"
        }


def test_a_side_of_which_nothing_has_a_price_is_not_zero():
    """Nothing is short, which is zero; what is long has a value nobody knows, so has the whole."""
    of = held.market({**held.drawn(), "NEVER": np.full(779, NAN)})
    answer = calculate(held.frame(held.book(position(4, "NEVER", "200", "10")), of=of))[0]
    assert isinstance(answer, EngineResult)
    found = answer.payload["market_value"]
    assert (found["short"], found["carried"]) == (0, 2_000)
    assert np.isnan([found["long"], found["gross"], found["net"], found["net_share"]]).all()


def test_an_option_nobody_can_model_is_counted_and_in_no_total():
    frame = six_frame(six_book(lines=(LONG, LONG_CALL)))
    delta = np.where(frame.exposures.is_option, NAN, frame.exposures.dollar_delta)
    frame = replace(frame, exposures=replace(frame.exposures, dollar_delta=delta))
    answer = calculate(frame)[0]
    assert isinstance(answer, EngineResult)
    assert answer.status == "partial"
    assert answer.payload["delta_adjusted"]["gross"] == pytest.approx(80_000)
    assert answer.payload["counts"]["unmodelled_positions"] == 1
    assert answer.payload["excluded"]["table"]["positions"] == [1]
    assert "options_not_modelled" in codes(answer)


def test_without_any_known_exposure_nothing_is_made_up():
    frame = six_frame(six_book(lines=(LONG_CALL,)))
    unknown = np.full(1, NAN)
    exposures = replace(frame.exposures, dollar_delta=unknown, dollar_gamma=unknown, vega=unknown)
    answer = calculate(replace(frame, exposures=exposures))[0]
    assert isinstance(answer, EngineResult)
    assert answer.status == "insufficient"
    for part in ("delta_adjusted", "dollar_gamma", "vega"):
        assert np.isnan(answer.payload[part]["gross"])
    assert np.isnan(answer.payload["concentration"]["herfindahl"])


def test_an_empty_book_is_exposed_to_nothing():
    answer = result(six_book(lines=()))
    assert answer.status == "ok"
    assert answer.payload["delta_adjusted"]["gross"] == 0
    assert answer.payload["leverage"] == 0
    assert np.isnan(answer.payload["concentration"]["effective_number"])
    assert answer.payload["notes"] == []


def test_a_sold_position_is_no_exposure():
    answer = result(six_book(lines=(CLOSED,)))
    assert answer.payload["delta_adjusted"]["gross"] == 0
    assert answer.payload["liquidity"]["instruments"]["table"]["symbol"] == []


def test_without_net_asset_value_there_are_dollars_and_no_shares():
    answer = result(six_book(lines=(LONG, SHORT), equity=-200_000))
    payload = answer.payload
    assert payload["net_asset_value"] < 0
    assert payload["delta_adjusted"]["gross"] == pytest.approx(110_000)
    for number in (
        payload["leverage"],
        payload["delta_adjusted"]["net_share"],
        payload["beta_adjusted_net_share"],
        payload["quality"]["of_net_asset_value"]["modelled"],
        *payload["sectors"]["table"]["weight"],
    ):
        assert np.isnan(number)
    assert payload["dollar_gamma"]["exceeded"] is None
    assert payload["quality"]["of_gross_value"]["modelled"] == 1.0
    assert {"net_asset_value_not_positive", "sector_weights_not_stated"} <= codes(answer)


def test_cash_is_no_exposure_but_part_of_net_asset_value():
    """The fund of 50,000 read as cash in the bank: gross stays AAPL's 80,000."""
    book = six_book(lines=(LONG, PRIVATE))
    cash = replace(book.positions[1], investment_subtype="CASH")
    answer = result(replace(book, positions=(book.positions[0], cash)))
    assert answer.payload["delta_adjusted"]["gross"] == pytest.approx(80_000)
    assert answer.payload["cash_equivalents"] == pytest.approx(50_000)
    assert answer.payload["concentration"]["names"] == 1
    assert rows(answer.payload["liquidity"]["instruments"], "basis")["cash"]["days"] == 0


def test_the_benchmark_is_the_market_s_where_it_has_one():
    market = six_market()
    weights = {"Technology": 0.5, "Financial Services": 0.3, "Energy": 0.2}
    benchmark = Benchmark("SP500", market.as_of, weights)
    answer = result(six_book(lines=(LONG,)), market=replace(market, benchmark=benchmark))
    found = rows(answer.payload["sectors"], "sector")
    assert found["Financials"]["active"] == pytest.approx(-0.3)
    assert found["Information Technology"]["active"] == pytest.approx(0.5)
    assert answer.payload["benchmark"]["source"] == "market"
    assert answer.payload["benchmark"]["as_of"] == market.as_of.isoformat()


def test_the_order_of_positions_and_the_company_change_no_byte():
    book = six_book()
    turned = replace(book, positions=book.positions[::-1])
    others = [six_book(number, lines=(SHORT, SHORT_PUT)) for number in (2, 3)]
    alone = pack(result(book).payload)
    assert pack(result(turned).payload) == alone
    among = calculate(six_frame(others[0], turned, others[1]))[1]
    assert isinstance(among, EngineResult)
    assert pack(among.payload) == alone


def test_two_lots_are_the_position_they_were():
    half = LONG._replace(quantity=LONG.quantity / 2)
    whole, lots = result(six_book(lines=(LONG, SHORT))), result(six_book(lines=(half, half, SHORT)))
    for part in ("delta_adjusted", "concentration", "diversification", "dollar_gamma"):
        for name, number in whole.payload[part].items():
            assert lots.payload[part][name] == (
                number if isinstance(number, str) else pytest.approx(number, nan_ok=True)
            )
    days = [one.payload["liquidity"]["longest"] for one in (whole, lots)]
    assert days[0] == pytest.approx(days[1])


def test_more_cash_dilutes_shares_and_changes_no_dollar():
    """100,000 more in the account: NAV 405,761.26, leverage 185,876.29 / 405,761.26 = .458093."""
    before, after = result().payload, result(six_book(equity=400_000)).payload
    assert after["leverage"] == pytest.approx(0.458093, abs=5e-7)
    for amount in ("long", "short", "gross", "net"):
        assert after["delta_adjusted"][amount] == before["delta_adjusted"][amount]
    for part in ("concentration", "diversification"):
        assert after[part] == before[part]
    for name in ("net", "weight"):
        np.testing.assert_array_equal(
            after["sectors"]["table"][name], before["sectors"]["table"][name]
        )


def test_an_option_on_nothing_known_is_excluded_by_reason():
    book = six_book(lines=(LONG, LONG_CALL))
    nameless = replace(book.positions[1], underlying_symbol=None, strike_price=None)
    market = six_market()
    frame = lay_out_chunk(
        (replace(book, positions=(book.positions[0], nameless)),), market, {}, [History.none()]
    )
    answer = calculate(frame)[0]
    assert isinstance(answer, EngineResult)
    assert answer.payload["excluded"]["table"] == {
        "reason": ["option_terms_incomplete"],
        "positions": [1],
    }
    assert answer.payload["counts"]["unmodelled_positions"] == 1
    assert answer.payload["delta_adjusted"]["gross"] == pytest.approx(80_000)
    names = answer.payload["liquidity"]["instruments"]["table"]["symbol"]
    assert names == ["AAPL"]


def test_the_market_s_share_of_what_has_no_beta_is_not_known():
    """Without a beta for AAPL: 30,000 short at .8 alone, of 110,000 of gross exposure."""
    frame = six_frame(six_book(lines=(LONG, SHORT)))
    loadings = frame.factor_model.loadings.copy()
    loadings[frame.underlyings.keys.index(Key("AAPL", None))] = NAN
    betas = replace(frame.factor_model.betas, shrunk=loadings[:, 0], raw=loadings[:, 0])
    model = replace(frame.factor_model, loadings=loadings, betas=betas)
    answer = calculate(replace(frame, factor_model=model))[0]
    assert isinstance(answer, EngineResult)
    assert answer.payload["beta_adjusted_net"] == pytest.approx(-24_000)
    assert answer.payload["beta_known_share"] == pytest.approx(3 / 11)
    assert answer.payload["diversification"]["modelled_share"] == pytest.approx(3 / 11)
    assert answer.status == "partial"


def test_a_beta_that_is_only_believed_is_not_known():
    """Both betas count in the sum; the short's alone is told by returns: 30,000 of 110,000."""
    frame = six_frame(six_book(lines=(LONG, SHORT)))
    raw = frame.factor_model.loadings[:, 0].copy()
    raw[frame.underlyings.keys.index(Key("AAPL", None))] = NAN
    model = replace(frame.factor_model, betas=replace(frame.factor_model.betas, raw=raw))
    answer = calculate(replace(frame, factor_model=model))[0]
    assert isinstance(answer, EngineResult)
    assert answer.payload["beta_known_share"] == pytest.approx(3 / 11)
    whole = calculate(frame)[0]
    assert isinstance(whole, EngineResult)
    assert answer.payload["beta_adjusted_net"] == whole.payload["beta_adjusted_net"]
