"""The correlation engine: signed exposures, gaps, groups, and books in company."""

from dataclasses import replace

import numpy as np
import pytest

from risk_engine.engine.correlation import MAX_PAIRS, MAX_SYMBOLS, calculate
from risk_engine.engine.results import EngineResult, pack
from risk_engine.quant.correlation import fisher_interval, unpack_upper
from risk_engine.quant.diversification import diversification
from tests.unit.risk_engine import held
from tests.unit.risk_engine.books import option, position, private

YEAR = np.sqrt(252)
AAA, BBB, CCC = (
    position(number, name, quantity, "90")
    for number, name, quantity in ((1, "AAA", "500"), (2, "BBB", "-200"), (3, "CCC", "100"))
)
SHORT_TWIN = position(4, "TWIN", "-500", "90")


def results(frame) -> list[EngineResult]:
    """Return the results of a frame's books; none of them fails."""
    answers = calculate(frame)
    found = [answer for answer in answers if isinstance(answer, EngineResult)]
    assert len(found) == len(answers) == len(frame.books)
    return found


def result(*books, **frame) -> EngineResult:
    """Return the result of the first of some books."""
    return results(held.frame(*books, **frame))[0]


def codes(answer):
    return [note["code"] for note in answer.payload["notes"]]


def column(answer, table, name):
    return answer.payload[table]["table"][name]


def logs(*names):
    moves = held.drawn()
    return np.log1p(np.column_stack([moves[name][-252:] for name in names]))


def test_the_matrix_is_of_the_last_year_largest_holdings_first():
    answer = result(held.book(CCC, BBB, AAA))
    assert answer.status == "ok"
    assert column(answer, "symbols", "symbol") == ["AAA", "BBB", "CCC"]
    np.testing.assert_allclose(column(answer, "symbols", "weight"), [0.5, -0.2, 0.1])
    sample = unpack_upper(answer.payload["sample"], 3)
    expected = np.corrcoef(logs("AAA", "BBB", "CCC"), rowvar=False)
    np.testing.assert_allclose(sample, expected, atol=1e-7)
    assert answer.payload["common"] == 252
    shrinkage = answer.payload["shrinkage"]
    mean = sample[np.triu_indices(3, 1)].mean()
    shrunk = (1 - shrinkage["intensity"]) * sample + shrinkage["intensity"] * mean
    np.fill_diagonal(shrunk, 1)
    np.testing.assert_allclose(unpack_upper(answer.payload["correlation"], 3), shrunk, atol=1e-7)
    assert answer.payload["mean_correlation"] == pytest.approx(mean, abs=1e-7)
    assert answer.payload["correlation"].dtype == np.float32


def test_risk_is_that_of_the_signed_holdings():
    answer = result(held.book(AAA, BBB, CCC))
    exposures = np.array([50_000.0, -20_000, 10_000])
    deviation = logs("AAA", "BBB", "CCC").std(axis=0, ddof=1) * YEAR
    matrix = unpack_upper(answer.payload["correlation"], 3)
    covariance = matrix * np.outer(deviation, deviation)
    risk = answer.payload["risk"]
    assert risk["dollars"] == pytest.approx(np.sqrt(exposures @ covariance @ exposures), rel=1e-6)
    assert risk["volatility"] == pytest.approx(risk["dollars"] / 100_000)
    own = np.abs(exposures) * deviation
    assert risk["undiversified_dollars"] == pytest.approx(own.sum())
    found = diversification(exposures, covariance)
    assert risk["diversification_ratio"] == pytest.approx(found.diversification_ratio, rel=1e-6)
    implied = (risk["dollars"] ** 2 - (own**2).sum()) / (own.sum() ** 2 - (own**2).sum())
    assert answer.payload["implied_correlation"] == pytest.approx(implied)
    np.testing.assert_allclose(column(answer, "clusters", "share_of_variance").sum(), 1)


def test_a_hedge_offsets_and_is_one_group_without_risk():
    """The original took absolute values: it called this book concentrated."""
    answer = result(held.book(AAA, SHORT_TWIN, CCC))
    assert answer.payload["implied_correlation"] < 0
    assert column(answer, "clusters", "symbols")[0] == ["AAA", "TWIN"]
    net, gross = (column(answer, "clusters", name)[0] for name in ("net", "gross"))
    assert net < 0.1 * gross
    assert column(answer, "symbols", "cluster").tolist() == [0, 0, 1]
    assert answer.payload["significance"]["strongest"]["table"]["correlation"][0] > 0.999


def test_significant_pairs_have_the_sample_s_intervals():
    answer = result(held.book(AAA, BBB, CCC))
    found = answer.payload["significance"]
    assert found["tested"] == 3
    assert 1 <= found["significant"] <= 3
    strongest = {name: cells[0] for name, cells in found["strongest"]["table"].items()}
    assert (strongest["first"], strongest["second"]) == ("AAA", "BBB")
    rho = np.corrcoef(logs("AAA", "BBB"), rowvar=False)[0, 1]
    low, high = fisher_interval(np.array(rho), np.array(252))
    assert strongest["correlation"] == pytest.approx(rho)
    assert (strongest["low"], strongest["high"]) == pytest.approx((float(low), float(high)))


def test_gaps_are_left_out_pair_by_pair():
    moves = held.drawn()
    moves["AAA"][600:640], moves["BBB"][700:720] = np.nan, np.nan
    answer = result(held.book(AAA, BBB, CCC), of=held.market(moves))
    assert answer.status == "ok"
    assert "gaps" in codes(answer)
    # Each gap costs the return over its end as well.
    assert answer.payload["common"].tolist() == [252 - 41 - 21, 252 - 41, 252 - 21]
    assert column(answer, "symbols", "observations").tolist() == [211, 231, 252]


def test_a_short_history_is_left_out_and_said():
    answer = result(held.book(AAA, BBB, position(5, "YOUNG", "900", "90")))
    assert answer.status == "partial"
    assert codes(answer) == ["short_history"]
    assert column(answer, "symbols", "symbol") == ["AAA", "BBB"]
    assert answer.payload["correlated"]["of_gross_value"] == pytest.approx(700 / 1600)


def test_histories_that_do_not_meet_cost_the_shorter():
    moves = held.drawn()
    moves["AAA"][:-125], moves["BBB"][-130:-2] = np.nan, np.nan
    a_market = held.market(moves)
    answer = result(held.book(AAA, BBB, CCC), of=a_market)
    assert column(answer, "symbols", "symbol") == ["AAA", "CCC"]
    assert answer.status == "partial"


def test_private_assets_cash_and_what_stands_still_are_not_correlated():
    moves = {**held.drawn(), "SPAXX": np.zeros(779)}
    fund = position(6, "SPAXX", "1000", "100")
    answer = result(
        held.book(AAA, BBB, fund, private(7, "FUND", "5000")),
        of=held.market(moves, SPAXX="money_market"),
    )
    assert answer.status == "ok"
    assert codes(answer) == ["private_left_out"]
    assert column(answer, "symbols", "symbol") == ["AAA", "BBB"]


@pytest.mark.parametrize("lines", [(), (AAA,), (private(7, "FUND", "5000"),)])
def test_fewer_than_two_are_too_few(lines):
    answer = result(held.book(*lines))
    assert answer.status == "insufficient"
    assert codes(answer)[-1] == "insufficient_symbols"
    assert "correlation" not in answer.payload


def test_an_option_without_greeks_makes_it_partial():
    answer = result(held.book(AAA, BBB, option(8, "1", "4")))
    assert answer.status == "partial"
    assert "unmodelled_options" in codes(answer)


def test_without_net_asset_value_there_are_dollars_alone():
    answer = result(held.book(AAA, BBB, equity="-10"))
    assert np.isnan(answer.payload["risk"]["volatility"])
    assert answer.payload["risk"]["dollars"] > 0
    assert np.isnan(column(answer, "clusters", "net")).all()
    assert "net_asset_value_not_positive" in codes(answer)


def test_concentration_is_one_less_the_squared_shares():
    answer = result(held.book(AAA, BBB, CCC), of=held.market(None, CCC="etf"))
    found = answer.payload["concentration"]
    assert found["underlyings"] == 3
    assert found["position_size"] == pytest.approx(1 - (25 + 4 + 1) / 64)
    assert found["asset_class"] == pytest.approx(1 - (49 + 1) / 64)
    assert found["sector"] == pytest.approx(0)


def test_of_a_large_book_the_largest_are_correlated():
    chance = np.random.default_rng(3)
    names = [f"S{number:03}" for number in range(MAX_SYMBOLS + 20)]
    market = held.market({name: chance.normal(0, 0.01, 779) for name in names})
    lines = [position(n + 1, name, str(n + 10), "90") for n, name in enumerate(names)]
    answer = result(held.book(*lines), of=market)
    assert codes(answer) == ["too_many_symbols"]
    assert column(answer, "symbols", "symbol") == names[:19:-1]
    assert len(answer.payload["correlation"]) == MAX_SYMBOLS * (MAX_SYMBOLS - 1) / 2
    assert len(answer.payload["significance"]["strongest"]["table"]["first"]) <= MAX_PAIRS


def test_company_and_order_change_not_a_bit():
    one = held.book(AAA, BBB, CCC)
    others = [held.book(SHORT_TWIN, CCC, number=n) for n in (2, 3)]
    alone = pack(results(held.frame(one))[0].payload)
    assert pack(results(held.frame(*others, one))[2].payload) == alone
    turned = replace(one, positions=one.positions[::-1])
    assert pack(results(held.frame(turned))[0].payload) == alone
