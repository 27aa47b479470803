"""The factor model of a chunk: what is regressed, what is believed, and what stands in."""

from dataclasses import replace

import numpy as np
import pytest

from risk_engine.domain import Rates
from risk_engine.engine.asset_classes import (
    asset_class,
    classes,
    daily_multiples,
    fund_durations,
    private_proxies,
    proxy_of,
)
from risk_engine.engine.classification import sector_table
from risk_engine.engine.factor_model import FACTORS
from risk_engine.engine.factor_panel import factor_panel
from risk_engine.engine.underlyings import Key
from risk_engine.quant.curve import DEFAULT_RATE
from risk_engine.quant.factors import FUNDS, PRIOR_DEVIATIONS
from simulator.truth import Truth
from tests.support.simulated import AS_OF, true_market
from tests.unit.risk_engine.factored import (
    NAMES,
    asset,
    halted,
    halved,
    market,
    model_of,
    shares,
    shortened,
    without,
)

MKT, RATES = FACTORS.index("MKT"), FACTORS.index("RATES")
LEVERAGED = {"TMF": 3, "TMV": -3, "TTT": -3, "UBT": 2, "TBT": -2, "TBF": -1} | {
    "TYD": 3, "TYO": -3, "UST": 2, "PST": -2, "TBX": -1
}  # fmt: skip
HELD = tuple(shares(number, symbol, 10) for number, symbol in enumerate(NAMES, 1))


def of(symbol, subtype=None, *, positions=HELD, in_market=None):
    """Return the model and the row of one underlying in it."""
    model, underlyings = model_of(*positions, of=in_market)
    return model, underlyings.rows[Key(symbol, subtype)]


def test_the_market_fund_is_the_market():
    model, row = of("SPY")
    assert model.loadings[row] == pytest.approx(np.eye(len(FACTORS))[MKT], abs=1e-9)
    assert model.betas.raw[row] == pytest.approx(1)
    assert model.specific_variance[row] == 0
    assert not model.prior_only[row]
    _, fund = of("QQQ")
    assert model.specific_variance[fund] >= 0.01**2 / 252


def test_loadings_lie_about_the_truth():
    model, underlyings = model_of(*HELD)
    truth = Truth(true_market())
    names = ("market", "rates", "size", "value", "momentum", "quality", "low_volatility", "credit")
    true = truth.loadings(NAMES)[:, [truth.factors.index(name) for name in names]]
    true[:, MKT], true[:, RATES] = truth.beta(NAMES), -true[:, RATES]
    found = [underlyings.rows[Key(symbol, None)] for symbol in NAMES]
    away = np.abs(model.loadings[found] - true)
    # Funds have almost no risk of their own: the factors' proxies are not quite the factors.
    assert (away < 3 * model.standard_errors[found] + 0.2 * np.r_[1, 3, np.ones(6)]).all()


def test_a_bond_fund_s_rate_is_its_duration_and_no_market():
    model, row = of("TLT")
    assert model.loadings[row, RATES] == pytest.approx(-16, abs=0.5)
    assert model.betas.shrunk[row] == pytest.approx(0, abs=0.1)
    durations = model.durations
    assert durations.published[row]
    assert (durations.duration[row], durations.convexity[row]) == (16, 350)
    assert np.isnan(durations.error[row])


def test_a_share_s_duration_is_what_its_returns_tell():
    model, row = of("XLU")
    assert not model.durations.published[row]
    assert model.durations.duration[row] == pytest.approx(2.5, abs=3 * model.durations.error[row])
    assert np.isnan(model.durations.convexity[row])


def test_a_money_fund_moves_with_nothing():
    model, row = of("SPAXX")
    assert model.classes[row] == "cash"
    assert (model.loadings[row] == 0).all()
    assert model.specific_variance[row] == model.betas.shrunk[row] == 0
    assert not model.prior_only[row]


@pytest.mark.parametrize(
    ("subtype", "fund", "multiple", "specific"),
    [
        ("PRIVATE_EQUITY", "IWM", 1.3, 0.25),
        ("HEDGE_FUND", "SPY", 0.4, 0.15),
        ("REAL_ESTATE", "VNQ", 1.0, 0.15),
        ("VENTURE_CAPITAL", "QQQ", 1.5, 0.30),
        ("CRYPTOCURRENCY", "QQQ", 2.5, 0.30),
    ],
)
def test_a_private_asset_is_a_multiple_of_a_fund(subtype, fund, multiple, specific):
    held = (asset(50, subtype), shares(51, "QQQ", 1), shares(52, "SPY", 1))
    model, row = of("P50", subtype, positions=held)
    assert model.proxied[row]
    assert not model.prior_only[row]
    assert model.specific_variance[row] == pytest.approx(specific**2 / 252)
    if fund in NAMES:
        _, other = of(fund, positions=held)
        # The same fund, estimated from the reference and as it is held.
        np.testing.assert_allclose(
            model.loadings[row], multiple * model.loadings[other], rtol=1e-6, atol=1e-9
        )
        assert model.betas.shrunk[row] == pytest.approx(multiple * model.betas.shrunk[other])
    assert np.isnan(model.betas.raw[row])


def test_a_private_asset_without_its_fund_is_not_known():
    lacking = replace(market(), reference=without(market().reference, "VNQ"))
    model, row = of("P50", "REAL_ESTATE", positions=(asset(50, "REAL_ESTATE"),), in_market=lacking)
    assert np.isnan(model.loadings[row]).all()
    model, row = of("P50", "ART", positions=(asset(50, "ART"),), in_market=lacking)
    assert (model.loadings[row] == 0).all()


def test_what_the_file_does_not_name_is_other():
    assert proxy_of(Key("X", "SHARE_OF_A_SHIP")) == private_proxies()["OTHER"]


@pytest.mark.parametrize(("sessions", "regressed", "beta"), [(92, True, True), (70, False, True)])
def test_a_short_history_is_believed_and_not_regressed(sessions, regressed, beta):
    model, row = of("AAPL", in_market=shortened("AAPL", sessions))
    assert model.prior_only[row] == (not regressed)
    assert np.isfinite(model.betas.raw[row]) == beta
    assert np.isfinite(model.loadings[row]).all()
    if not regressed:
        assert model.loadings[row].tolist() == [1.0, *[0.0] * 7]
        assert model.standard_errors[row].tolist() == list(PRIOR_DEVIATIONS)
        assert model.specific_variance[row] == pytest.approx(0.30**2 / 252)


def test_without_any_history_the_belief_is_all_there_is():
    model, row = of("TLT", in_market=shortened("TLT", 20))
    assert model.prior_only[row]
    assert model.loadings[row, RATES] == -fund_durations()["TLT"].duration
    assert model.betas.shrunk[row] == model.loadings[row, MKT] == 0
    assert model.betas.error[row] == 0.40


@pytest.mark.parametrize(("sessions", "stale"), [(3, False), (4, True)])
def test_an_old_price_is_stale(sessions, stale):
    model, row = of("AAPL", in_market=halted("AAPL", sessions))
    assert model.stale[row] == model.prior_only[row] == stale


@pytest.mark.parametrize("when", [1, 100, 400])
def test_a_two_for_one_split_changes_nothing(when):
    before, row = of("JPM")
    after, _ = of("JPM", in_market=halved("JPM", when))
    np.testing.assert_allclose(after.loadings[row], before.loadings[row], rtol=1e-9, atol=1e-12)
    assert after.betas.raw[row] == pytest.approx(before.betas.raw[row])
    assert after.specific_variance[row] == pytest.approx(before.specific_variance[row])


@pytest.mark.parametrize("symbol", ["AAPL", "TLT", "XLU"])
def test_nothing_depends_on_company_not_even_the_last_digit(symbol):
    among, row = of(symbol)
    alone, own = of(symbol, positions=(shares(1, symbol, 10),))
    for table in ("loadings", "standard_errors", "specific_variance", "r_squared"):
        assert getattr(among, table)[row].tobytes() == getattr(alone, table)[own].tobytes(), table
    for column in ("raw", "raw_error", "shrunk", "r_squared"):
        values = (getattr(one.betas, column) for one in (among, alone))
        assert next(values)[row] == next(values)[own], column
    np.testing.assert_array_equal(
        among.durations.duration[row], alone.durations.duration[own], strict=True
    )


def test_the_sector_s_fund_is_what_is_believed_of_a_share():
    """XLK has a beta of 1.1 and a name of its sector without history takes it over."""
    reference = market().reference
    tech = replace(
        reference, symbols=tuple("XLK" if one == "QQQ" else one for one in reference.symbols)
    )
    changed = replace(shortened("AAPL", 20), reference=tech)
    model, row = of("AAPL", in_market=changed)
    qqq, other = of("QQQ")
    assert model.betas.prior[row] == pytest.approx(qqq.betas.shrunk[other], rel=1e-6)
    assert model.loadings[row, MKT] == model.betas.prior[row]


def test_no_session_knows_what_comes_after_it():
    now = market()
    before = factor_panel(now)
    close = now.reference.close.copy()
    close[-1] *= 1.5
    after = factor_panel(replace(now, reference=replace(now.reference, close=close)))
    np.testing.assert_array_equal(before.returns[:-1], after.returns[:-1])


def test_the_covariance_is_a_covariance():
    panel = factor_panel(market())
    assert panel.available.all()
    assert np.linalg.eigvalsh(panel.covariance).min() > 0
    yearly = dict(zip(FACTORS, np.sqrt(np.diag(panel.covariance) * 252), strict=True))
    assert 0.05 < yearly["MKT"] < 0.4
    assert 0.002 < yearly["RATES"] < 0.02
    assert (panel.inflation < 2).all()
    assert 1 < panel.condition < 3


def test_without_curves_yields_are_a_fund_s_and_cash_earns_four_percent():
    panel = factor_panel(market())
    bare = factor_panel(replace(market(), rates=Rates.unknown()))
    assert (bare.rate_source, bare.yield_source) == ("default", "fund")
    assert (panel.rate_source, panel.yield_source) == ("curve", "curve")
    told, true = bare.returns[1:, RATES], panel.returns[1:, RATES]
    assert np.corrcoef(told, true)[0, 1] > 0.95
    assert np.polyfit(true, told, 1)[0] == pytest.approx(1, abs=0.05)
    days = (AS_OF - market().reference.sessions[-2]).days
    assert bare.risk_free[-1] == pytest.approx(np.expm1(DEFAULT_RATE * days / 365))


@pytest.mark.parametrize("fund", [one for one in FUNDS if one != "SPY"])
def test_a_fund_that_is_missing_costs_its_factors_alone(fund):
    lacking = replace(market(), reference=without(market().reference, fund))
    model, row = of("AAPL", in_market=lacking)
    whole, other = of("AAPL")
    lost = ~model.available
    assert 1 <= lost.sum() <= 1 + (fund in ("VTV", "VUG"))
    assert np.isnan(model.loadings[row, lost]).all()
    assert np.isnan(model.covariance[lost]).all()
    kept = model.available
    away = np.abs(model.loadings[row, kept] - whole.loadings[other, kept])
    assert (away < whole.standard_errors[other, kept]).all()


def test_without_the_market_nothing_is_known():
    lacking = replace(market(), reference=without(market().reference, "SPY"))
    model, row = of("AAPL", in_market=lacking)
    assert model.prior_only[row]
    assert not model.available[MKT]
    assert np.isnan(model.loadings[row, MKT])


@pytest.mark.parametrize("sessions", [0, 1, 2, 300])
def test_of_a_short_reference_as_much_is_known_as_it_says(sessions):
    """None at all is what a panel without reference funds gives."""
    reference = market().reference
    some = slice(len(reference.sessions) - sessions, None)
    tables = ("close", "split_ratio", "dividend", "open", "high", "low", "volume")
    cut = replace(
        reference,
        sessions=reference.sessions[some],
        **{name: getattr(reference, name)[some] for name in tables},
    )
    model, row = of("AAPL", in_market=replace(market(), reference=cut))
    assert model.available.tolist() == [sessions == 300] * 2 + [False] * 6
    assert model.prior_only[row] == (sessions < 300)
    assert np.isfinite(model.loadings[row]).sum() == (2 if sessions == 300 else 0)
    assert model.recent.shape == (len(market().prices.sessions), len(FACTORS))


@pytest.mark.parametrize(
    ("symbol", "kind", "expected"),
    [
        ("AAPL", "unknown", "stock"),
        ("BIL", "etf", "cash"),
        ("CASH_USD", "unknown", "cash"),
        ("GLD", "etf", "gold"),
        ("LQD", "etf", "bond"),
        ("SQQQ", "etf", "leveraged"),
        ("TMV", "etf", "bond"),
        ("UVXY", "etf", "volatility"),
        ("VIX", "index", "volatility"),
        ("VMFXX", "money_market", "cash"),
    ],
)
def test_asset_classes(symbol, kind, expected):
    assert asset_class(Key(symbol, None), kind, None) == expected


def test_files_say_when_and_by_whom():
    for name, fund in fund_durations().items():
        if name in LEVERAGED:
            continue
        # Of cash flows at one time the convexity is the duration's square; spread out, it is more.
        assert 0 < fund.duration < 30, name
        assert 0 < fund.convexity < 2 * fund.duration**2, name
    for subtype, proxy in private_proxies().items():
        assert 0 <= proxy.multiple <= 2.5, subtype
        assert 0.15 <= proxy.specific_volatility <= 0.30, subtype


def test_daily_multiples_are_of_shares_bonds_and_volatility():
    known = daily_multiples()
    expected = {"SQQQ": -3, "SSO": 2, "SH": -1, "TMV": -3, "UBT": 2, "UVXY": 1.5, "SVXY": -0.5}
    assert {symbol: known[symbol] for symbol in expected} == expected
    assert not {"SPY", "TLT", "VXX", "VIX"} & known.keys()


@pytest.mark.parametrize(("symbol", "multiple"), LEVERAGED.items())
def test_a_leveraged_bond_fund_has_a_multiple_of_its_index_s_duration(symbol, multiple):
    index = fund_durations()["IEF" if symbol in {"TYD", "TYO", "UST", "PST", "TBX"} else "TLT"]
    fund = fund_durations()[symbol]
    assert fund.duration == multiple * index.duration
    assert fund.convexity == multiple * index.convexity
    model, row = of(symbol, positions=(shares(1, symbol, 1),))
    assert model.loadings[row, RATES] == -fund.duration
    assert model.loadings[row, MKT] == model.betas.shrunk[row] == 0


@pytest.mark.parametrize(
    ("symbol", "beta"), [("VXX", -3), ("VIXY", -3), ("UVXY", -4.5), ("UVIX", -6), ("SVXY", 1.5)]
)
def test_a_product_on_volatility_is_no_share(symbol, beta):
    model, row = of(symbol, positions=(shares(1, symbol, 1),))
    assert model.classes[row] == "volatility"
    assert model.betas.shrunk[row] == model.loadings[row, MKT] == beta
    assert model.betas.error[row] == pytest.approx(0.40 * abs(beta))
    assert sector_table().funds[symbol] == "Volatility"


@pytest.mark.parametrize(
    ("symbol", "volatility"),
    [
        ("TMF", 0.09),
        ("TBT", 0.06),
        ("TBF", 0.03),
        ("TQQQ", 0.30),
        ("PSQ", 0.10),
        ("UPRO", 0.03),
        ("SPXU", 0.03),
        ("SH", 0.01),
        ("UVXY", 0.90),
        ("SVXY", 0.30),
        ("VXX", 0.60),
        ("LQD", 0.03),
        ("NOBODY", 0.30),
    ],
)
def test_a_multiple_of_an_index_varies_by_the_multiple_of_what_the_index_does(symbol, volatility):
    model, row = of(symbol, positions=(shares(1, symbol, 1),))
    assert model.prior_only[row]
    assert np.sqrt(model.specific_variance[row] * 252) == pytest.approx(volatility)


def test_what_follows_the_market_s_index_is_a_multiple_of_it():
    assert classes().on_the_market < classes().market_multiples.keys()


def test_what_never_had_a_price_is_believed_and_not_late():
    model, row = of("NOBODY", positions=(shares(1, "NOBODY", 1),))
    assert model.prior_only[row]
    assert not model.stale[row]
