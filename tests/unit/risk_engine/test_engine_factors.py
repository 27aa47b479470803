"""The factor engine: totals by hand, strange books, and what always holds."""

from dataclasses import replace

import numpy as np
import pytest

from risk_engine.domain import Rates
from risk_engine.engine.factor_model import FACTORS
from risk_engine.engine.factors import REPORTED, SPREADS, calculate
from risk_engine.engine.results import EngineResult, pack
from risk_engine.quant.market_beta import market_betas
from tests.unit.risk_engine.books import option
from tests.unit.risk_engine.factored import (
    account,
    asset,
    frame_of,
    halted,
    market,
    result_of,
    rows_of,
    shares,
    shortened,
    without,
)

MKT, RATES = FACTORS.index("MKT"), FACTORS.index("RATES")
MIXED = (shares(1, "AAPL", 100), shares(2, "JPM", -50), shares(3, "TLT", 200), shares(4, "SPY", 30))


def codes(result):
    return [note["code"] for note in result.payload["notes"]]


def factor(result, name):
    return rows_of(result.payload["factors"])[name]


def test_exposures_are_the_holdings_loadings_added_up():
    frame = frame_of(account(*MIXED))
    payload = result_of(account(*MIXED)).payload
    model, amounts = frame.factor_model, frame.dollar_deltas[0]
    for place, name in enumerate(FACTORS):
        row = factor(result_of(account(*MIXED)), name)
        dollars = (amounts * model.loadings[:, place]).sum()
        assert row["exposure_dollar"] == pytest.approx(dollars)
        assert row["beta"] == pytest.approx(dollars / payload["net_asset_value"])


def test_risk_is_that_of_the_covariance_written_out():
    frame = frame_of(account(*MIXED))
    payload = result_of(account(*MIXED)).payload
    model, amounts = frame.factor_model, frame.dollar_deltas[0]
    covariance = model.loadings @ model.covariance @ model.loadings.T
    covariance += np.diag(model.specific_variance)
    volatility = np.sqrt(amounts @ covariance @ amounts * 252)
    risk = payload["risk"]
    assert risk["volatility_dollar"] == pytest.approx(volatility)
    assert risk["volatility"] == pytest.approx(volatility / payload["net_asset_value"])
    together = np.hypot(risk["factor_volatility"], risk["specific_volatility"])
    assert together == pytest.approx(risk["volatility"])
    assert risk["factor_share"] + risk["specific_share"] == pytest.approx(1)


def test_contributions_add_up_to_one():
    payload = result_of(account(*MIXED)).payload
    by_factor = payload["factors"]["table"]["contribution"].sum()
    positions = payload["positions"]["table"]
    assert by_factor + payload["risk"]["specific_share"] == pytest.approx(1)
    assert positions["contribution"].sum() == pytest.approx(1)
    assert positions["specific_contribution"].sum() == pytest.approx(
        payload["risk"]["specific_share"]
    )


def test_the_original_s_names_in_its_order():
    payload = result_of(account(*MIXED)).payload
    reported, factors = rows_of(payload["reported"]), rows_of(payload["factors"])
    assert list(reported) == list(REPORTED)
    assert list(reported)[:2] == ["Market Beta", "Momentum"]
    assert reported["Value"]["beta"] == factors["VALUE"]["beta"] == -reported["Growth"]["beta"]
    spreads = rows_of(payload["spreads"])
    assert list(spreads) == list(SPREADS)
    assert spreads["Growth-Value Spread"]["beta"] == -factors["VALUE"]["beta"]
    assert spreads["Size Spread"]["exposure_dollar"] == factors["SIZE"]["exposure_dollar"]


def test_the_account_s_beta_is_its_holdings_shrunk_betas():
    frame, payload = frame_of(account(*MIXED)), result_of(account(*MIXED)).payload
    beta, nav = payload["market_beta"], payload["net_asset_value"]
    dollars = (frame.dollar_deltas[0] * frame.factor_model.betas.shrunk).sum()
    assert beta["exposure_dollar"] == pytest.approx(dollars)
    assert beta["beta"] == pytest.approx(dollars / nav)
    assert beta["imputed_share"] == 0
    series = (frame.factor_model.excess[-252:] * frame.dollar_deltas[0]).sum(axis=1) / nav
    fit = market_betas(series[:, None], frame.factor_model.market_excess[-252:], np.zeros(1, bool))
    assert beta["regressed_beta"] == pytest.approx(fit.beta[0])
    assert beta["standard_error"] == pytest.approx(fit.error[0])
    assert beta["r_squared"] == pytest.approx(fit.r_squared[0])
    assert beta["high"] - beta["low"] == pytest.approx(2 * 1.96 * beta["standard_error"])
    assert beta["observations"] == 252


def test_a_diversified_book_is_explained_better_than_its_parts():
    """C3: a mean of R-squareds says .3 where the book's own is .9."""
    names = ("AAPL", "JPM", "QQQ", "XLU", "XOM")
    payload = result_of(account(*(shares(n, s, 100) for n, s in enumerate(names, 1)))).payload
    of_positions = payload["positions"]["table"]["beta_r_squared"]
    assert payload["market_beta"]["r_squared"] > of_positions.mean() + 0.15


def test_selling_everything_short_turns_every_linear_number():
    turned = tuple(replace(one, quantity=-one.quantity) for one in MIXED)
    one, other = result_of(account(*MIXED)).payload, result_of(account(*turned)).payload
    for table in ("factors", "reported", "spreads"):
        np.testing.assert_allclose(
            other[table]["table"]["exposure_dollar"], -one[table]["table"]["exposure_dollar"]
        )
    np.testing.assert_allclose(
        other["factors"]["table"]["contribution"], one["factors"]["table"]["contribution"]
    )
    assert other["market_beta"]["exposure_dollar"] == -one["market_beta"]["exposure_dollar"]
    assert other["risk"]["volatility_dollar"] == pytest.approx(one["risk"]["volatility_dollar"])
    rates = [both["interest_rates"] for both in (one, other)]
    assert rates[1]["pnl_per_basis_point"] == pytest.approx(-rates[0]["pnl_per_basis_point"])


def test_adding_cash_leaves_the_money_at_risk():
    one = result_of(account(*MIXED)).payload
    other = result_of(account(*MIXED, asset(9, "CASH", "50000"), equity="1000000")).payload
    for path in (("risk", "volatility_dollar"), ("market_beta", "exposure_dollar")):
        assert other[path[0]][path[1]] == pytest.approx(one[path[0]][path[1]])
    assert other["risk"]["volatility"] < one["risk"]["volatility"] / 5
    assert other["market_beta"]["imputed_share"] == 0


def test_lots_of_one_share_are_one_name():
    apart = (shares(1, "AAPL", 60), shares(2, "AAPL", 40))
    one = result_of(account(shares(1, "AAPL", 100))).payload
    other = result_of(account(*apart)).payload
    assert other["risk"]["specific_volatility"] == pytest.approx(one["risk"]["specific_volatility"])
    assert other["positions"]["table"]["contribution"] == pytest.approx([0.6, 0.4])


def test_rates_move_bond_funds_by_their_duration_and_the_rest_by_its_loading():
    frame = frame_of(account(*MIXED))
    payload = result_of(account(*MIXED)).payload
    rates, nav = payload["interest_rates"], payload["net_asset_value"]
    rows = {key.symbol: row for row, key in enumerate(frame.underlyings.keys)}
    bonds = frame.dollar_deltas[0, rows["TLT"]]
    others = sum(
        frame.dollar_deltas[0, rows[symbol]] * frame.factor_model.loadings[rows[symbol], RATES]
        for symbol in ("AAPL", "JPM", "SPY")
    )
    assert rates["bond_exposure_dollar"] == bonds
    assert rates["bond_duration"] == pytest.approx(16)
    assert rates["dollar_duration"] == pytest.approx(16 * bonds - others)
    assert rates["duration"] == pytest.approx((16 * bonds - others) / nav)
    assert rates["pnl_per_basis_point"] == pytest.approx(-(16 * bonds - others) / 10_000)
    up = bonds * (-0.16 + 350 * 0.01**2 / 2) + others * 0.01
    assert rates["pnl_up_100bp"] == pytest.approx(up)
    assert rates["pnl_down_100bp"] == pytest.approx(bonds * 350 * 0.01**2 - up)
    only = result_of(account(shares(1, "TLT", 100))).payload
    worth = only["positions"]["table"]["weight"][0]
    assert only["interest_rates"]["beta_to_fund"] == pytest.approx(worth, rel=0.03)


def test_private_assets_stand_in_and_are_told_apart():
    result = result_of(account(*MIXED, asset(8, "PRIVATE_EQUITY", "40000")))
    payload, listed = result.payload, result_of(account(*MIXED)).payload
    assert "proxied" in codes(result)
    assert result.status == "ok"
    assert payload["risk_without_proxies"]["volatility_dollar"] == pytest.approx(
        listed["risk"]["volatility_dollar"]
    )
    assert payload["risk"]["volatility_dollar"] > listed["risk"]["volatility_dollar"]
    of_gross = payload["quality"]["of_gross_value"]
    gross = sum(abs(one) for one in listed["positions"]["table"]["dollar_delta"])
    assert of_gross["proxied"] == pytest.approx(40_000 / (gross + 40_000))
    assert sum(of_gross.values()) == pytest.approx(1)
    position = rows_of(payload["positions"], "symbol")["P8"]
    assert position["flags"] == ["proxied"]
    assert np.isnan(position["raw_beta"])
    assert position["beta"] == pytest.approx(1.3 * 1.06, abs=0.15)
    assert 0 < payload["market_beta"]["imputed_share"] < 1
    assert payload["market_beta"]["observed_share"] < 1


def test_a_short_history_makes_it_partial():
    result = result_of(account(*MIXED), of=shortened("AAPL", 40))
    assert result.status == "partial"
    assert codes(result) == ["prior_only"]
    position = rows_of(result.payload["positions"], "symbol")["AAPL"]
    assert (position["beta"], position["beta_error"]) == (1.0, 0.40)
    assert result.payload["counts"]["prior_only_positions"] == 1


def test_an_old_price_makes_it_stale():
    result = result_of(account(*MIXED), of=halted("AAPL", 4))
    assert result.status == "stale"
    assert codes(result) == ["stale"]
    assert result.payload["quality"]["of_gross_value"]["stale"] > 0


def test_an_option_nobody_can_model_is_in_no_total():
    odd = replace(option(9, "5", "20"), underlying_symbol="NOBODY", symbol="NOBODY270115C00010000")
    nowhere = replace(option(10, "5", "20"), underlying_symbol=None)
    result = result_of(account(*MIXED, odd, nowhere))
    assert result.status == "partial"
    assert "not_modelled" in codes(result)
    assert result.payload["counts"] == {
        "open_positions": 6,
        "modelled_positions": 4,
        "proxied_positions": 0,
        "prior_only_positions": 0,
    }
    listed = result_of(account(*MIXED)).payload
    for table in ("factors", "reported"):
        np.testing.assert_allclose(
            result.payload[table]["table"]["exposure_dollar"],
            listed[table]["table"]["exposure_dollar"],
        )
    assert result.payload["quality"]["of_gross_value"]["unmodelled"] > 0


@pytest.mark.parametrize("nowhere", [True, False])
def test_when_nothing_can_be_modelled_nothing_is_said(nowhere):
    symbol = None if nowhere else "NOBODY"
    result = result_of(account(replace(option(9, "5", "20"), underlying_symbol=symbol)))
    assert result.status == "insufficient"
    payload = result.payload
    for table in ("factors", "reported", "spreads"):
        assert np.isnan(payload[table]["table"]["exposure_dollar"]).all()
    assert np.isnan(payload["market_beta"]["beta"])
    assert np.isnan(payload["risk"]["volatility_dollar"])
    rates = payload["interest_rates"]
    assert rates["reason"] == "no_position_modelled"
    for name in ("duration", "dollar_duration", "bond_exposure_dollar", "pnl_per_basis_point"):
        assert np.isnan(rates[name])
    assert np.isnan([rates["pnl_up_100bp"], rates["pnl_down_100bp"]]).all()


def test_a_duration_says_why_there_is_none():
    """Without the yield's factor a share's duration is unknown, a bond fund's is published."""
    nothing_known = frame_of(account(*MIXED), account(shares(3, "TLT", 200)), account())
    model = nothing_known.factor_model
    loadings = model.loadings.copy()
    loadings[:, RATES] = np.nan
    use = model.available.copy()
    use[RATES] = False
    silent = replace(
        nothing_known,
        factor_model=replace(model, loadings=loadings, panel=replace(model.panel, available=use)),
    )
    answers = [one for one in calculate(silent) if isinstance(one, EngineResult)]
    mixed, bonds, nothing = (one.payload["interest_rates"] for one in answers)
    assert mixed["reason"] == "yield_not_known"
    assert np.isnan(mixed["dollar_duration"])
    assert bonds["reason"] is nothing["reason"] is None
    assert bonds["dollar_duration"] == pytest.approx(16 * bonds["bond_exposure_dollar"])
    assert nothing["dollar_duration"] == nothing["pnl_up_100bp"] == 0


def test_a_book_of_nothing_is_exposed_to_nothing():
    result = result_of(account())
    assert result.status == "ok"
    assert (result.payload["factors"]["table"]["beta"] == 0).all()
    assert result.payload["risk"]["volatility"] == result.payload["market_beta"]["beta"] == 0


def test_without_a_positive_value_there_are_dollars_and_no_fractions():
    result = result_of(account(*MIXED, equity="-1000000"))
    assert "net_asset_value_not_positive" in codes(result)
    payload = result.payload
    assert np.isnan(payload["factors"]["table"]["beta"]).all()
    assert np.isfinite(payload["factors"]["table"]["exposure_dollar"]).all()
    assert np.isnan(payload["market_beta"]["beta"])
    assert payload["risk"]["volatility_dollar"] > 0
    assert np.isnan(payload["risk"]["volatility"])
    assert payload["factors"]["table"]["contribution"].sum() < 1


def test_what_a_vendor_says_stands_beside():
    frame, payload = frame_of(account(*MIXED)), result_of(account(*MIXED)).payload
    said = frame.market.snapshots
    told = [said.beta[said.rows[symbol]] for symbol in ("AAPL", "JPM", "SPY", "TLT")]
    amounts = frame.dollar_deltas[0]
    known = np.isfinite(told)
    expected = (amounts[known] * np.array(told)[known]).sum() / payload["net_asset_value"]
    assert payload["provider_beta"]["beta"] == pytest.approx(expected)
    assert payload["provider_beta"]["positions_total"] == 4


def test_without_curves_the_result_says_so():
    result = result_of(account(*MIXED), of=replace(market(), rates=Rates.unknown()))
    assert result.status == "partial"
    assert {"default_rate", "yield_from_fund"} <= set(codes(result))


def test_a_factor_that_is_missing_is_null_and_named():
    lacking = replace(market(), reference=without(market().reference, "IWM"))
    result = result_of(account(*MIXED), of=lacking)
    assert result.status == "partial"
    assert "factors_missing" in codes(result)
    assert np.isnan(factor(result, "SIZE")["exposure_dollar"])
    assert np.isfinite(factor(result, "MKT")["exposure_dollar"])
    assert np.isfinite(result.payload["risk"]["volatility"])


def test_company_changes_nothing_not_even_the_last_digit():
    one = account(*MIXED, asset(8, "HEDGE_FUND"), number=1)
    others = [
        account(shares(20, "XOM", 10), shares(21, "QQQ", -5), number=2),
        account(number=3),
        account(asset(31, "ART"), shares(32, "GLD", 10), equity="-5", number=4),
    ]
    [alone] = calculate(frame_of(one))
    among = calculate(frame_of(*others[:1], one, *others[1:]))[1]
    assert isinstance(alone, EngineResult)
    assert isinstance(among, EngineResult)
    assert pack(alone.payload) == pack(among.payload)


def test_an_empty_chunk_is_no_trouble():
    assert calculate(frame_of()) == []


@pytest.mark.parametrize("sessions", [0, 1, 300])
def test_with_little_of_the_market_the_engine_says_so(sessions):
    """Without any reference funds it has nothing, and breaks for nobody."""
    reference = market().reference
    some = slice(len(reference.sessions) - sessions, None)
    tables = ("close", "split_ratio", "dividend", "open", "high", "low", "volume")
    cut = replace(
        reference,
        sessions=reference.sessions[some],
        **{name: getattr(reference, name)[some] for name in tables},
    )
    result = result_of(account(*MIXED), of=replace(market(), reference=cut))
    assert result.status == ("partial" if sessions == 300 else "insufficient")
    assert "factors_missing" in codes(result)
    assert np.isnan(factor(result, "SIZE")["beta"])
    assert np.isfinite(result.payload["market_beta"]["beta"]) == (sessions == 300)


def test_a_flat_book_has_no_risk_and_no_shares_of_it():
    lots = (100, 50, -30, -120)
    flat = account(*(shares(place, "AAPL", lot) for place, lot in enumerate(lots, 1)))
    assert (frame_of(flat).dollar_deltas == 0).all()
    payload = result_of(flat).payload
    assert payload["risk"]["volatility_dollar"] == 0
    assert np.isnan(payload["risk"]["factor_share"])
    assert np.isnan(payload["risk"]["specific_share"])
    assert (payload["factors"]["table"]["exposure_dollar"] == 0).all()
    for table in ("factors", "positions"):
        assert np.isnan(payload[table]["table"]["contribution"]).all()


def unpriced():
    """Return the market without prices of the shares."""
    return replace(market(), prices=without(market().prices, "AAPL", "JPM", "XOM"))


def test_a_beta_of_beliefs_alone_is_as_uncertain_as_they_are():
    """A series of nothing but the market would be explained by it entirely, and without error."""
    held = (shares(1, "AAPL", 100), shares(2, "JPM", 100))
    result = result_of(account(*held), of=unpriced())
    beta, rows = result.payload["market_beta"], result.payload["positions"]["table"]
    nav = result.payload["net_asset_value"]
    assert beta["observed_share"] == 0
    assert beta["imputed_share"] == 1
    assert np.isnan([beta["r_squared"], beta["regressed_beta"]]).all()
    assert beta["observations"] == 0
    own = np.sqrt(((rows["dollar_delta"] * 0.40) ** 2).sum()) / nav
    assert beta["standard_error"] == pytest.approx(own)
    assert beta["high"] - beta["low"] == pytest.approx(2 * 1.96 * own)


def test_a_private_account_s_beta_is_a_belief():
    payload = result_of(account(asset(8, "PRIVATE_EQUITY", "40000"), asset(9, "ART"))).payload
    beta, nav = payload["market_beta"], payload["net_asset_value"]
    assert beta["observed_share"] == 0
    assert np.isnan(beta["r_squared"])
    assert beta["standard_error"] > np.hypot(40_000, 10_000) * 0.40 / nav


def test_beliefs_add_their_errors_to_the_regression_of_the_rest():
    mixed = (shares(1, "QQQ", 100), shares(2, "AAPL", 50))
    whole = result_of(account(shares(1, "QQQ", 100))).payload
    payload = result_of(account(*mixed), of=unpriced()).payload
    beta, rows = payload["market_beta"], rows_of(payload["positions"], "symbol")
    nav, alone = payload["net_asset_value"], whole["market_beta"]
    regressed = alone["standard_error"] * whole["net_asset_value"]
    believed = rows["AAPL"]["dollar_delta"] * rows["AAPL"]["beta_error"]
    assert beta["standard_error"] == pytest.approx(np.hypot(regressed, believed) / nav)
    assert beta["r_squared"] == pytest.approx(alone["r_squared"])
    assert beta["regressed_beta"] * nav == pytest.approx(
        alone["regressed_beta"] * whole["net_asset_value"]
    )
    sizes = [abs(rows[symbol]["dollar_delta"]) for symbol in ("QQQ", "AAPL")]
    assert beta["observed_share"] == pytest.approx(sizes[0] / sum(sizes))


def test_a_regression_of_next_to_nothing_does_not_speak_for_the_account():
    held = (shares(1, "QQQ", 1), asset(8, "PRIVATE_EQUITY", "90000"))
    beta = result_of(account(*held)).payload["market_beta"]
    assert 0 < beta["observed_share"] < 0.1
    assert np.isnan([beta["r_squared"], beta["regressed_beta"]]).all()
    assert beta["standard_error"] > 0.3


def test_cash_alone_has_a_beta_of_nothing_for_certain():
    beta = result_of(account(asset(9, "CASH", "50000"))).payload["market_beta"]
    assert beta["beta"] == beta["standard_error"] == 0
    assert np.isnan(beta["r_squared"])


def test_what_nobody_has_heard_of_makes_it_partial():
    result = result_of(account(*MIXED, shares(9, "NOBODY", 10)))
    assert result.status == "partial"
    assert codes(result) == ["prior_only"]
    position = rows_of(result.payload["positions"], "symbol")["NOBODY"]
    assert position["flags"] == ["prior_only"]
    assert result.payload["counts"]["prior_only_positions"] == 1
    assert result.payload["quality"]["of_gross_value"]["stale"] == 0


def test_products_on_volatility_hedge_and_say_so():
    result = result_of(account(shares(1, "SPY", 100), shares(2, "UVXY", 10)))
    assert {"prior_only", "volatility_product"} == set(codes(result))
    position = rows_of(result.payload["positions"], "symbol")["UVXY"]
    assert position["asset_class"] == "volatility"
    assert position["factor_contribution"] < 0


def test_the_market_fund_has_no_risk_but_the_market_s():
    payload = result_of(account(shares(1, "SPY", 100))).payload
    risk = payload["risk"]
    assert risk["specific_volatility"] == 0
    assert (risk["factor_share"], risk["specific_share"]) == (1, 0)
    market_volatility = factor(result_of(account(shares(1, "SPY", 100))), "MKT")["volatility"]
    weight = payload["positions"]["table"]["weight"][0]
    assert risk["volatility"] == pytest.approx(weight * market_volatility, rel=1e-6)


def test_vendors_betas_count_options_by_delta_and_all_that_is_open():
    call = replace(option(9, "5", "20"), underlying_symbol="AAPL", symbol="AAPL270115C00200000")
    held = (*MIXED, call, asset(8, "PRIVATE_EQUITY", "40000"))
    frame, payload = frame_of(account(*held)), result_of(account(*held)).payload
    said = frame.market.snapshots
    rows = rows_of(payload["positions"], "position_id").values()
    dollars = [
        row["dollar_delta"] * said.beta[said.rows[row["underlying"]]]
        for row in rows
        if row["underlying"] in said.rows and np.isfinite(said.beta[said.rows[row["underlying"]]])
    ]
    assert any(row["symbol"] == call.symbol and row["dollar_delta"] for row in rows)
    told, nav = payload["provider_beta"], payload["net_asset_value"]
    assert told["beta"] == pytest.approx(np.nansum(dollars) / nav)
    assert told["positions_with_beta"] == int(np.isfinite(dollars).sum())
    assert told["positions_total"] == payload["counts"]["open_positions"] == 6
    assert told["positions_with_beta"] < 6
