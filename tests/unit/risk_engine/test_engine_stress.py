"""Stress over a frame: against plain arithmetic and trees, and what always holds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from risk_engine.domain import Market, Rates, Snapshots
from risk_engine.engine import market_risk, stress
from risk_engine.engine.results import EngineResult, pack
from risk_engine.engine.scenario_file import shipped_scenarios
from risk_engine.engine.stress_inputs import AXIS, stress_inputs
from risk_engine.quant.conditional import conditional_shocks
from risk_engine.quant.factors import FACTORS
from risk_engine.quant.revaluation import revalue
from tests.unit.risk_engine import books
from tests.unit.risk_engine.stress_books import (
    EVERYTHING,
    OBSERVED,
    account,
    answers,
    frame_of,
    listed,
    read,
    scenario,
    share,
    stress_market,
    stressed,
)

IDS = [one.id for one in shipped_scenarios().active]


def shocks_of(one, frame, *, correlated):
    """Return a scenario's shocks by factor, one number after the other."""
    stated = np.array([[one.shocks.get(name, np.nan) for name in FACTORS]])
    if correlated:
        return conditional_shocks(stated, stress_inputs(frame).covariance)[0].tolist()
    return [0.0 if math.isnan(value) else value for value in stated[0]]


def volatility_of(one, shocks):
    """Return the relative move of implied volatility that goes with the shocks."""
    if one.volatility is not None:
        return one.volatility
    return min(max(-4 * shocks[AXIS.market], -0.3), 2.0)


def returned(frame, row, shocks):
    """Return an underlying's return, by hand."""
    loadings = frame.factor_model.loadings[row].tolist()
    duration = frame.factor_model.durations
    rest = sum(
        loading * (math.log1p(shock) if place == AXIS.market else shock)
        for place, (loading, shock) in enumerate(zip(loadings, shocks, strict=True))
        if place != AXIS.rates
    )
    move = shocks[AXIS.rates]
    if duration.published[row]:
        by_rates = 1 - duration.duration[row] * move + duration.convexity[row] * move**2 / 2
        return math.exp(rest) * by_rates - 1
    return math.exp(rest + loadings[AXIS.rates] * move) - 1


def gained(frame, holding, shocks, volatility):
    """Return a holding's profit, by hand; options by a tree or the formula at either market."""
    exposures, contracts = frame.exposures, frame.contracts
    row = exposures.contract[holding]
    if row < 0:
        move = returned(frame, exposures.underlying[holding], shocks)
        return exposures.value[holding] * move
    terms = contracts.terms.part(slice(row, row + 1))
    damping = min(1.0, math.sqrt(30 / 365 / terms.years[0]))
    if contracts.on_future[row]:
        move, new = volatility * damping, terms.volatility[0]
    else:
        move = returned(frame, exposures.underlying[holding], shocks)
        new = terms.volatility[0] + min(terms.volatility[0] * volatility, 0.6) * damping
    shift = shocks[AXIS.rates]
    carry = shift if contracts.on_future[row] else 0.0
    markets = ((terms.spot[0] * (1 + move), new, shift, carry), (terms.spot[0], None, 0.0, 0.0))
    prices = [
        revalue(
            terms,
            contracts.american[row : row + 1],
            spot=np.array([[spot]]),
            volatility=np.array([[terms.volatility[0] if level is None else level]]),
            rate=np.array([[terms.rate[0] + shift]]),
            dividend_yield=np.array([[terms.dividend_yield[0] + carry]]),
        )[0, 0]
        for spot, level, shift, carry in markets
    ]
    units = exposures.quantity[holding] * exposures.multiplier[holding]
    return units * (prices[0] - prices[1])


def test_every_position_in_every_scenario_gains_what_arithmetic_and_trees_say():
    frame = frame_of(account(*EVERYTHING))
    (answer,) = answers(account(*EVERYTHING))
    table = answer.payload["positions"]["table"]
    holdings = np.flatnonzero(frame.exposures.is_open).tolist()
    for kind in ("direct", "correlated"):
        for place, one in enumerate(shipped_scenarios().active):
            shocks = shocks_of(one, frame, correlated=kind == "correlated")
            volatility = volatility_of(one, shocks)
            for row, holding in enumerate(holdings):
                expected = gained(frame, holding, shocks, volatility)
                contract = frame.exposures.contract[holding]
                units = frame.exposures.quantity[holding] * frame.exposures.multiplier[holding]
                # The tree's own error is up to 0.25 % of the price; stock has none.
                price = 0.0 if contract < 0 else frame.contracts.terms.spot[contract]
                assert table[kind][row, place] == pytest.approx(
                    expected, abs=1e-6 + 2e-4 * abs(units) * price
                )


def test_totals_are_sums_and_splits_of_them():
    found = stressed(*EVERYTHING)
    for one in found.scenarios:
        for kind, whole in (("direct", one.direct), ("correlated", one.correlated)):
            parts = sum(getattr(position, kind)[one.id] for position in found.positions)
            assert parts == pytest.approx(whole, abs=0.05)
        assert sum(one.by_cause.values()) == pytest.approx(one.correlated, abs=0.06)
        assert sum(one.by_greek.values()) == pytest.approx(one.correlated, abs=0.04)
        assert one.effect == pytest.approx(one.correlated - one.direct, abs=0.011)
        assert one.new_net_asset_value == pytest.approx(
            found.net_asset_value + one.correlated, abs=0.011
        )
        assert one.correlated_percentage == pytest.approx(
            100 * one.correlated / found.net_asset_value, abs=1e-4
        )


def test_the_shipped_scenarios_run_and_say_what_they_are():
    found = stressed(*EVERYTHING)
    assert [one.id for one in found.scenarios] == IDS
    assert found.status == "ok"
    crash = scenario(found, "market_crash_35")
    assert (crash.category, crash.severity, crash.basis) == ("market", "severe", "total")
    assert crash.stated_shocks == {"MKT": -0.35}
    assert crash.correlated_shocks["MKT"] == -0.35
    assert crash.correlated_shocks.keys() == set(FACTORS)
    assert crash.volatility_shock == pytest.approx(1.4)
    spike = scenario(found, "vix_spike_150")
    assert (spike.volatility_shock, spike.volatility_stated) == (1.5, True)
    assert spike.stated_shocks == {"MKT": -0.15, "LOWVOL": 0.0}
    assert spike.correlated_shocks["LOWVOL"] == 0


def test_the_market_alone_loses_what_the_market_loses():
    """C10: what states the market has no correlated effect on a book of the market alone."""
    found = stressed(share(1, "SPY", "100"))
    (position,) = found.positions
    value = 100 * stress_market().prices.close[-1, stress_market().prices.columns["SPY"]]
    for one in found.scenarios:
        if "MKT" in one.stated_shocks:
            expected = one.stated_shocks["MKT"] * value
            assert one.correlated == pytest.approx(expected, rel=2e-3)
            assert one.direct == pytest.approx(expected, rel=2e-3)
    assert position.correlated["market_down_10"] == scenario(found, "market_down_10").correlated


def test_a_bond_fund_loses_by_its_published_duration_and_convexity():
    found = stressed(share(1, "TLT", "100"))
    value = 100 * stress_market().prices.close[-1, stress_market().prices.columns["TLT"]]
    spike = scenario(found, "rate_spike_300bp")
    assert spike.direct == pytest.approx(value * (-16 * 0.03 + 350 * 0.03**2 / 2), rel=1e-6)
    assert spike.by_cause["RATES"] == pytest.approx(spike.direct, rel=0.02)


def test_turning_a_book_round_turns_every_impact_round():
    turned = tuple(
        replace(
            one,
            quantity=-one.quantity,
            position_type={"LONG": "SHORT", "SHORT": "LONG"}.get(
                one.position_type,
                ("S" if one.position_type[0] == "L" else "L") + one.position_type[1:],
            ),
        )
        for one in EVERYTHING
        if one.investment_class != "PRIVATE"
    )
    there = stressed(*(one for one in EVERYTHING if one.investment_class != "PRIVATE"))
    back = stressed(*turned)
    for one, other in zip(there.scenarios, back.scenarios, strict=True):
        assert one.direct == -other.direct
        assert one.correlated == -other.correlated
        assert one.by_greek == {name: -value for name, value in other.by_greek.items()}


def test_cash_changes_no_impact_in_money():
    cash = replace(books.private(9, "CASH", "30000"), investment_subtype="CASH")
    cash = replace(cash, entry_date=EVERYTHING[0].entry_date)
    with_cash = stressed(*EVERYTHING, cash)
    without = stressed(*EVERYTHING)
    assert with_cash.status == "ok"
    for one, other in zip(with_cash.scenarios, without.scenarios, strict=True):
        assert one.correlated == other.correlated
        assert one.by_cause == other.by_cause
    more = stressed(*EVERYTHING, equity="200000")
    for one, other in zip(more.scenarios, without.scenarios, strict=True):
        assert one.correlated == other.correlated
        assert abs(one.correlated_percentage) < abs(other.correlated_percentage)


def test_neither_order_nor_company_changes_a_byte():
    alone = answers(account(*EVERYTHING))[0]
    others = [
        account(share(21, "XOM", "70"), listed(22, "put", "-9"), number=7),
        account(*EVERYTHING),
        account(share(23, "IWM", "5"), number=8, equity="500"),
    ]
    among = answers(*others)[1]
    assert pack(among.payload) == pack(alone.payload)
    shuffled = answers(account(*reversed(EVERYTHING)))[0]
    assert pack(shuffled.payload) == pack(alone.payload)


def test_what_cannot_be_modelled_is_counted_and_left_out():
    with_unknown = stressed(*EVERYTHING, listed(8, "unknown", "4"))
    without = stressed(*EVERYTHING)
    assert with_unknown.status == "partial"
    assert with_unknown.based_on.unmodelled_positions == 1
    assert 0.9 < with_unknown.based_on.modelled_share < 1
    assert "positions_not_modelled" in {note.code for note in with_unknown.notes}
    unknown = next(one for one in with_unknown.positions if one.symbol.startswith("NOPE"))
    assert set(unknown.correlated.values()) == {None}
    for one, other in zip(with_unknown.scenarios, without.scenarios, strict=True):
        assert one.correlated == other.correlated
        assert one.modelled_share == with_unknown.based_on.modelled_share


def test_a_book_of_nothing_known_has_no_impact_rather_than_none():
    found = stressed(listed(8, "unknown", "4"))
    assert found.status == "insufficient"
    assert {one.correlated for one in found.scenarios} == {None}
    assert {one.direct for one in found.scenarios} == {None}
    assert {one.reason for one in found.reverse} == {"depends_on_no_factor"}


def test_an_account_of_cash_loses_nothing():
    found = stressed()
    assert found.status == "ok"
    assert {one.correlated for one in found.scenarios} == {0.0}
    assert {one.modelled_share for one in found.scenarios} == {None}
    assert {one.margin_call for one in found.scenarios} == {False}


def test_impacts_with_and_without_what_stands_in_for_something_else():
    found = stressed(*EVERYTHING)
    listed_ones = stressed(*OBSERVED)
    assert found.based_on.proxied_positions == 2
    assert found.based_on.proxied_share > 0.2
    for one, other in zip(found.scenarios, listed_ones.scenarios, strict=True):
        assert one.correlated_without_proxies == pytest.approx(other.correlated, abs=0.011)
        assert one.direct_without_proxies == pytest.approx(other.direct, abs=0.011)


def test_a_name_without_a_price_is_told_as_market_risk_tells_it():
    unpriced, known = share(1, "NOPRICE", "10"), share(2, "AAPL", "10")
    alone, mixed = stressed(unpriced), stressed(unpriced, known)
    observed = stressed(known)
    assert (alone.based_on.proxied_positions, mixed.based_on.proxied_positions) == (1, 1)
    assert "proxied" in {note.code for note in alone.notes}
    assert {one.correlated_without_proxies for one in alone.scenarios} == {None}
    assert {one.direct_without_proxies for one in alone.scenarios} == {None}
    assert {one.profit_without_proxies for one in alone.replays} == {None}
    for one, other in zip(mixed.scenarios, observed.scenarios, strict=True):
        assert one.correlated_without_proxies == other.correlated


def test_market_risk_and_stress_agree_on_what_has_no_history_of_its_own():
    held = (*EVERYTHING, share(9, "NOPRICE", "10"))
    (answer,) = market_risk.calculate(frame_of(account(*held)))
    assert isinstance(answer, EngineResult)
    rows = answer.payload["components"]["positions"]["table"]
    proxied = np.asarray(rows["proxied"]).tolist()
    told = dict(zip(rows["position_id"], proxied, strict=True))
    assert told == {str(one.position_id): one.proxied for one in stressed(*held).positions}
    assert sum(proxied) == 3


def test_no_net_asset_value_leaves_money_and_no_percentages():
    found = stressed(*EVERYTHING, equity="100")
    assert found.net_asset_value < 0
    for one in found.scenarios:
        assert one.correlated is not None
        assert one.correlated_percentage is None
    assert {one.reason for one in found.reverse} == {"net_asset_value_not_positive"}
    assert "net_asset_value_not_positive" in {note.code for note in found.notes}


def test_no_loss_is_capped_and_a_broker_s_call_is_shown():
    """A short book loses more than it is worth when the market rises."""
    found = stressed(share(1, "SPY", "-600"), equity="60000")
    rally = scenario(found, "market_rally_25")
    assert rally.correlated < -60_000
    assert rally.net_asset_value_negative
    assert rally.margin_call
    calm = stressed(share(1, "SPY", "10"), equity="60000")
    assert not scenario(calm, "market_crash_35").margin_call


def test_a_short_option_wants_of_net_asset_value_a_fifth_of_what_it_is_on_less_what_it_is_out():
    """A tenth at least. Its own value is off net asset value already; money funds want nothing."""
    cash = replace(books.private(9, "FUND", "30000"), investment_subtype="MONEY_MARKET")
    held = (listed(6, "call", "-2"), replace(cash, entry_date=EVERYTHING[0].entry_date))
    frame, found = frame_of(account(*held)), stressed(*held)
    (row,) = (place for place, key in enumerate(frame.underlyings.keys) if key.symbol == "AAPL")
    spot = stress_market().prices.close[-1, stress_market().prices.columns["AAPL"]]
    strike = float(held[0].strike_price)
    for told, one in zip(found.scenarios, shipped_scenarios().active, strict=True):
        after = spot * (1 + returned(frame, row, shocks_of(one, frame, correlated=True)))
        wanted = max(0.20 * after - max(strike - after, 0), 0.10 * after)
        assert told.maintenance_margin == pytest.approx(200 * wanted, abs=0.02)
        assert not told.margin_call


def test_a_short_history_leaves_correlated_impacts_unknown():
    market = stress_market()
    recent = replace(
        market.reference,
        sessions=market.reference.sessions[-1_200:],
        **{
            name: getattr(market.reference, name)[-1_200:]
            for name in ("close", "split_ratio", "dividend", "open", "high", "low", "volume")
        },
    )
    found = stressed(*EVERYTHING, market=replace(market, reference=recent))
    assert found.status == "partial"
    assert {one.correlated for one in found.scenarios} == {None}
    assert all(one.direct is not None for one in found.scenarios)
    assert {one.reason for one in found.reverse} == {"covariance_not_known"}
    assert "covariance_not_known" in {note.code for note in found.notes}


def test_a_market_that_says_nothing_gives_no_numbers_and_no_failure():
    prices = books.market({"AAA": [float(close) for close in range(10, 18)]})
    silent = Market(prices, prices, Snapshots.silent(), {}, Rates.unknown(), None)
    frame = frame_of(books.book([books.position(1, "AAA", "1", "10")]), market=silent)
    (answer,) = stress.calculate(frame)
    found = read(answer)
    assert found.status in {"insufficient", "partial"}
    assert {one.correlated for one in found.scenarios} == {None}


def test_volatility_held_still_and_doubled_stand_beside():
    found = stressed(*EVERYTHING)
    crash = scenario(found, "market_down_10")
    # Long a put and calls on volatility, short a call: volatility pays.
    assert crash.without_volatility < crash.correlated < crash.double_volatility
    linear = stressed(share(1, "AAPL", "10"))
    for one in linear.scenarios:
        assert one.without_volatility == one.correlated == one.double_volatility


def test_a_contract_is_worth_the_same_whoever_else_holds_it():
    """Per contract: one lot of 3 or three lots of 1."""
    lots = [listed(30 + place, "put", "1") for place in range(3)]
    together, apart = stressed(listed(5, "put", "3")), stressed(*lots)
    for one, other in zip(together.scenarios, apart.scenarios, strict=True):
        assert one.correlated == pytest.approx(other.correlated, abs=0.01)


def test_an_option_of_which_the_contract_is_not_complete_is_unknown():
    incomplete = replace(listed(5, "put", "3"), strike_price=None)
    found = stressed(share(1, "AAPL", "10"), incomplete)
    assert found.based_on.unmodelled_positions == 1
    assert found.status == "partial"


def test_options_move_with_the_share_they_are_on():
    found = stressed(listed(5, "put", "3"))
    crash = scenario(found, "market_crash_35")
    assert crash.correlated > 0
    assert crash.by_greek["gamma"] > 0
