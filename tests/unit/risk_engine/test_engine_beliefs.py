"""What is believed of shares is told from the market's cross-section, and from nobody's book."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from risk_engine.engine.beliefs import DEFAULT_BELIEFS
from risk_engine.engine.believed import securities_of
from risk_engine.engine.digests import digests_of
from risk_engine.engine.factor_model import FACTORS, factor_model
from risk_engine.engine.loadings import estimate, funds_of, with_proxies
from risk_engine.engine.memo import Memo
from risk_engine.engine.underlyings import Key, underlyings_of
from risk_engine.quant.market_beta import market_betas
from risk_engine.quant.returns import excess_returns, total_returns
from tests.support.factor_truth import engine_market
from tests.unit.risk_engine.books import book, position, private

HELD = ("AAPL", "JPM", "NEE", "SPY", "XLK")
MKT = FACTORS.index("MKT")


@cache
def market():
    return engine_market(3, HELD)


def laid(symbols=HELD, in_market=None, more=()):
    held = [position(number, symbol, "1", "1") for number, symbol in enumerate(symbols, 1)]
    return underlyings_of([book([*held, *more])], in_market or market())


def model_of(symbols=HELD, in_market=None):
    underlyings = laid(symbols, in_market)
    return factor_model(underlyings, in_market or market()), underlyings.rows


def some_shares(count):
    """Return the market with so many shares of its cross-section."""
    shares = market().cross_section
    kept = slice(count)
    tables = {name: getattr(shares, name)[:, kept] for name in ("close", "split_ratio", "dividend")}
    return replace(market(), cross_section=replace(shares, symbols=shares.symbols[kept], **tables))


def without_sector_funds():
    """Return the market with a reference that calls them something else."""
    reference = market().reference
    symbols = tuple(one.replace("XL", "ZL") for one in reference.symbols)
    return replace(market(), reference=replace(reference, symbols=symbols))


def test_betas_spread_about_their_sectors_funds_as_their_errors_do_not_explain():
    model, _ = model_of()
    shares, reference = market().cross_section, market().reference
    panel = model.panel
    returns = total_returns(shares.close, shares.split_ratio, shares.dividend)
    excess = excess_returns(returns, panel.risk_free)
    sectors = {
        "Communication Services": "XLC", "Consumer Discretionary": "XLY", "Energy": "XLE",
        "Consumer Staples": "XLP", "Financial Services": "XLF", "Healthcare": "XLV",
        "Industrials": "XLI", "Materials": "XLB", "Real Estate": "XLRE", "Technology": "XLK",
        "Utilities": "XLU",
    }  # fmt: skip
    funds = [reference.columns[sectors[market().securities[one].sector]] for one in shares.symbols]
    theirs = excess_returns(panel.funds[:, funds], panel.risk_free)
    fit = market_betas(excess - theirs, panel.returns[:, MKT], np.zeros(len(funds), bool))
    variance = (fit.beta**2).mean() - (fit.error**2).mean()
    assert model.beliefs.market == pytest.approx(np.sqrt(variance), rel=1e-9)
    assert (model.beliefs.source, model.beliefs.shares) == ("cross_section", 99)


@pytest.mark.parametrize("symbol", ["AAPL", "JPM", "NEE"])
def test_a_beta_is_its_sector_s_and_what_the_share_says_beyond_it(symbol):
    model, rows = model_of()
    betas, row = model.betas, rows[Key(symbol, None)]
    fund = {"AAPL": "XLK", "JPM": "XLF", "NEE": "XLU"}[symbol]
    assert model.prior_funds[row] == fund
    weight = 1 / (1 + (betas.relative_error[row] / model.beliefs.market) ** 2)
    assert betas.shrunk[row] == pytest.approx(betas.prior[row] + weight * betas.relative[row])
    own = 1 / (betas.relative_error[row] ** -2 + model.beliefs.market**-2)
    assert betas.error[row] == pytest.approx(np.sqrt(own + betas.prior_error[row] ** 2))
    assert betas.deviation[row] == model.beliefs.market


def test_the_fund_of_a_sector_is_measured_against_nothing():
    model, rows = model_of()
    for symbol in ("SPY", "XLK"):
        row = rows[Key(symbol, None)]
        assert model.prior_funds[row] is None
        assert model.betas.deviation[row] == 0.40
        assert model.betas.relative[row] == model.betas.raw[row] - 1
    row = rows[Key("SPY", None)]
    assert model.loadings[row] == pytest.approx(np.eye(len(FACTORS))[MKT], abs=1e-9)
    assert model.betas.shrunk[row] == pytest.approx(1)


def test_what_moves_a_share_with_its_fund_is_no_error_of_the_difference():
    """A share that is its fund and a little noise has the fund's beta, and not one shrunk twice."""
    shown = market()
    column = shown.reference.close[:, [shown.reference.columns["XLK"]]]
    noise = np.exp(np.cumsum(np.random.default_rng(1).normal(0, 1e-4, column.shape), axis=0))
    close = shown.prices.close.copy()
    place = shown.prices.columns["AAPL"]
    close[:, [place]] = column * noise
    tables = {}
    for name in ("split_ratio", "dividend"):
        tables[name] = getattr(shown.prices, name).copy()
        tables[name][:, place] = getattr(shown.reference, name)[:, shown.reference.columns["XLK"]]
    model, rows = model_of(
        in_market=replace(shown, prices=replace(shown.prices, close=close, **tables))
    )
    betas, row = model.betas, rows[Key("AAPL", None)]
    assert betas.relative_error[row] < 0.01 < betas.raw_error[row]
    assert betas.shrunk[row] == pytest.approx(betas.prior[row], abs=0.01)
    assert betas.error[row] == pytest.approx(betas.prior_error[row], rel=0.1)


@pytest.mark.parametrize(
    "lacking",
    [
        lambda: replace(market(), cross_section=None),
        lambda: some_shares(0),
        lambda: some_shares(19),
        lambda: replace(market(), securities={}),
        without_sector_funds,
    ],
    ids=["none", "no shares", "nineteen", "shares of no sector", "sectors without funds"],
)
def test_without_enough_shares_there_are_the_defaults(lacking):
    model, _ = model_of(in_market=lacking())
    assert model.beliefs == DEFAULT_BELIEFS
    assert model.beliefs.deviations.tolist() == [0.4, 5.0, *[0.5] * 6]


def test_twenty_shares_are_enough():
    model, _ = model_of(in_market=some_shares(20))
    assert (model.beliefs.source, model.beliefs.shares) == ("cross_section", 20)


@pytest.mark.parametrize("symbol", ["AAPL", "SPY"])
def test_who_else_is_held_changes_no_digit(symbol):
    among, rows = model_of()
    alone, own = model_of((symbol,))
    assert among.beliefs == alone.beliefs
    row, single = rows[Key(symbol, None)], own[Key(symbol, None)]
    for name in ("loadings", "standard_errors", "specific_variance"):
        assert getattr(among, name)[row].tobytes() == getattr(alone, name)[single].tobytes(), name
    for name in ("relative", "relative_error", "shrunk", "error"):
        of_one, of_other = (getattr(one.betas, name) for one in (among, alone))
        assert of_one[row].tobytes() == of_other[single].tobytes(), name


def test_another_cross_section_is_another_market_to_a_memo():
    changed = some_shares(50)
    assert digests_of(market(), laid()).shared != digests_of(changed, laid()).shared
    memo = Memo()
    first = factor_model(laid(), market(), memo=memo)
    second = factor_model(laid(), changed, memo=memo)
    assert first.beliefs != second.beliefs == model_of(in_market=changed)[0].beliefs


def test_a_share_without_history_is_believed_as_widely_as_shares_lie():
    shown = market()
    close = shown.prices.close.copy()
    close[:-20, shown.prices.columns["AAPL"]] = np.nan
    model, rows = model_of(in_market=replace(shown, prices=replace(shown.prices, close=close)))
    betas, row = model.betas, rows[Key("AAPL", None)]
    assert model.prior_only[row]
    assert betas.shrunk[row] == betas.prior[row] == model.loadings[row, MKT]
    spread = np.hypot(model.beliefs.market, betas.prior_error[row])
    assert betas.error[row] == model.standard_errors[row, MKT] == pytest.approx(spread)
    assert model.standard_errors[row, 2:].tolist() == [model.beliefs.styles] * 6


def test_standing_in_for_private_assets_leaves_the_estimates_as_they_were():
    asset = replace(private(9, "P9", "1000"), investment_subtype="PRIVATE_EQUITY")
    underlyings = laid(more=[asset])
    model = factor_model(underlyings, market())
    row = underlyings.rows[Key("P9", "PRIVATE_EQUITY")]
    assert model.proxied[row]
    assert np.isnan([model.betas.prior[row], model.betas.deviation[row]]).all()
    panel, funds = model.panel.over(market().prices), funds_of(market(), model.panel)
    estimates = estimate(securities_of(underlyings, market(), panel, funds, model.beliefs), panel)
    before = estimates.loadings.copy()
    replaced = with_proxies(estimates, underlyings, funds)
    np.testing.assert_array_equal(estimates.loadings, before)
    assert replaced.loadings[row].tolist() == model.loadings[row].tolist()
    assert (replaced.loadings[row] != before[row]).any()
