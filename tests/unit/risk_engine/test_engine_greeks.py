"""Greeks of books: the six positions by hand, sums, signs, and what is said of what is missing."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk_engine.domain import History, Rates
from risk_engine.engine.frame import lay_out_chunk
from risk_engine.engine.greeks import calculate
from risk_engine.engine.results import pack, unpack
from risk_engine.schemas.base import plain
from risk_engine.schemas.greeks import GreeksOut
from tests.unit.risk_engine.exposed import six_book, six_market
from tests.unit.risk_engine.six_positions import (
    AS_OF,
    CALL,
    LONG,
    LONG_CALL,
    PRIVATE,
    PUT,
    RATE,
    SHORT,
    SHORT_PUT,
    SIX_POSITIONS,
)

OF_OPTIONS = ("dollar_delta_of_options", "dollar_gamma", "vega", "theta", "rho")
GREEKS = ("delta", "gamma", "theta", "vega", "rho")
HEADER = {
    "engine": "greeks",
    "as_of": AS_OF,
    "panel_version": 1,
    "book_revision": 1,
    "model_version": "greeks-3",
}


def market(**changes):
    """Return the six positions' market, its options quoted at the prices worked out by hand."""
    everything = six_market()
    said = everything.snapshots
    price = np.array(
        [LONG_CALL.price if " C " in name else SHORT_PUT.price for name in said.symbols]
    )
    # The index yields one percent; of the share it is known that it pays nothing.
    symbols = (*said.symbols, "RUT", "XOM")
    unknown = np.full(2, np.nan)
    tables: dict[str, Any] = {
        name: np.append(getattr(said, name), unknown)
        for name in ("market_cap", "beta", "volume", "open_interest", "underlying_price")
    }
    snapshots = replace(
        said,
        symbols=symbols,
        bid=np.append(price - 1e-6, unknown),
        ask=np.append(price + 1e-6, unknown),
        dividend_yield=np.append(np.full(len(price), np.nan), [PUT.dividend_yield, 0.0]),
        **tables,
    )
    rates = Rates((AS_OF,), np.array([0.5, 1.0]), np.full((1, 2), RATE))
    return replace(everything, snapshots=snapshots, rates=rates, **changes)


def results(*books, given_market=None):
    histories = [History.none()] * len(books)
    return calculate(lay_out_chunk(books, given_market or market(), {}, histories))


def payload(*books, given_market=None):
    """Return what is said of the first book, as it is read."""
    found = results(*books, given_market=given_market)[0]
    said = plain(unpack(pack(found.payload)))
    return GreeksOut.model_validate({**HEADER, "status": found.status, **said})


def of(found, symbol):
    return next(one for one in found.positions if one.symbol == symbol)


def test_the_six_positions_are_as_worked_by_hand():
    """Within a tenth of a percent: an hour of daylight saving. The call is charged borrowing."""
    found = payload(six_book())
    put = of(found, SHORT_PUT.symbol)
    assert (put.style, put.volatility_source, put.price_source) == ("european", "quote", "quote")
    assert put.volatility == pytest.approx(PUT.volatility, rel=1e-3)
    for name in ("delta", "gamma", "vega"):
        assert getattr(put, name) == pytest.approx(getattr(PUT, name), rel=1e-3)
    # Minus one contract of 100 on 2,000.
    assert put.position_delta == pytest.approx(-100 * PUT.delta, rel=1e-3)
    assert put.dollar_delta == pytest.approx(-100 * PUT.delta * 2_000, rel=1e-3)
    assert put.dollar_gamma == pytest.approx(-100 * PUT.gamma * 2_000**2 / 100, rel=1e-3)
    assert put.position_vega == pytest.approx(-100 * PUT.vega, rel=1e-3)
    call = of(found, LONG_CALL.symbol)
    assert (call.style, call.borrow_cost) == ("american", 0.003)
    assert call.flags == ["default_borrow_cost"]
    assert call.volatility == pytest.approx(CALL.volatility, rel=0.02)
    assert call.position_delta == pytest.approx(500 * CALL.delta, rel=0.01)
    assert call.position_vega == pytest.approx(500 * CALL.vega, rel=0.01)
    total = 80_000 - 30_000 + call.dollar_delta + put.dollar_delta
    assert found.totals.dollar_delta == pytest.approx(total, abs=0.02)
    assert found.totals.private_value == 50_000
    assert (found.status, found.coverage.modelled_option_positions) == ("ok", 2)
    assert {one.symbol for one in found.positions} == {
        line.symbol for line in SIX_POSITIONS if line.exit_date is None
    }


def test_a_share_is_a_delta_of_one_and_nothing_else():
    found = payload(six_book(lines=(LONG, SHORT)))
    share = of(found, SHORT.symbol)
    assert [getattr(share, name) for name in GREEKS] == [1, 0, 0, 0, 0]
    assert (share.position_delta, share.dollar_delta) == (-300, -30_000)
    assert (found.totals.dollar_gamma, found.totals.theta) == (0, 0)
    assert found.status == "ok"


def test_totals_are_the_sums_of_positions_and_underlyings_net_them():
    found = payload(six_book())
    market_lines = [one for one in found.positions if one.kind != "private"]
    for name in ("dollar_delta", "dollar_gamma"):
        total = sum(getattr(one, name) for one in market_lines)
        assert getattr(found.totals, name) == pytest.approx(total, abs=0.05)
        by_underlying = sum(getattr(one, name) for one in found.by_underlying)
        assert getattr(found.totals, name) == pytest.approx(by_underlying, abs=0.05)
    for name in ("theta", "vega", "rho"):
        total = sum(getattr(one, f"position_{name}") for one in market_lines)
        assert getattr(found.totals, name) == pytest.approx(total, abs=0.05)
    xom = next(one for one in found.by_underlying if one.underlying == "XOM")
    call = of(found, LONG_CALL.symbol)
    assert xom.delta == pytest.approx(-300 + call.position_delta)
    assert xom.gamma == pytest.approx(call.position_gamma)


def test_dollar_gamma_is_what_the_dollar_delta_gains_in_a_percent():
    """Revalued at the same volatility, all of it and not its first term: within two percent."""
    found = payload(six_book(lines=(SHORT_PUT,)))
    put = of(found, SHORT_PUT.symbol)
    expected = 2_020 * (put.position_delta + 20 * put.position_gamma) - put.dollar_delta
    of_delta = put.dollar_delta * 0.01
    assert found.totals.dollar_gamma == pytest.approx(expected - of_delta, rel=0.02)


def flipped(line):
    side = {"LONG": "SHORT", "SHORT": "LONG", "LC": "SC", "SP": "LP"}[line.position_type]
    return line._replace(quantity=-line.quantity, position_type=side)


def test_the_other_side_of_a_book_has_the_other_signs():
    lines = (LONG, SHORT, LONG_CALL, SHORT_PUT)
    one = results(six_book(lines=lines))[0].payload
    other = results(six_book(lines=tuple(map(flipped, lines))))[0].payload
    for name, total in one["totals"].items():
        assert other["totals"][name] == pytest.approx(-total, abs=1e-9), name


@settings(max_examples=15, deadline=None)
@given(quantities=st.lists(st.integers(-20, 20).filter(bool), min_size=2, max_size=2))
def test_greeks_of_lots_add_up_and_scale(quantities):
    def totals(quantity):
        side = "LC" if quantity > 0 else "SC"
        line = LONG_CALL._replace(quantity=float(quantity), position_type=side)
        return results(six_book(lines=(line,)))[0].payload["totals"]

    both = six_book(
        lines=tuple(
            LONG_CALL._replace(quantity=float(n), position_type="LC" if n > 0 else "SC")
            for n in quantities
        )
    )
    together = results(both)[0].payload["totals"]
    apart = [totals(quantity) for quantity in quantities]
    for name, total in together.items():
        assert total == pytest.approx(sum(one[name] for one in apart), abs=1e-8)
        assert quantities[1] * apart[0][name] == pytest.approx(
            quantities[0] * apart[1][name], abs=1e-6
        )


def test_order_and_company_change_nothing():
    one, backwards = six_book(1), six_book(1, lines=SIX_POSITIONS[::-1])
    others = [six_book(2, lines=(LONG_CALL,)), six_book(3, lines=(PRIVATE,))]
    alone = results(one)[0].payload
    assert pack(results(one, *others)[0].payload) == pack(alone)
    found = results(backwards)[0].payload["totals"]
    assert found == pytest.approx(alone["totals"], rel=1e-12)


def test_an_option_that_cannot_be_modelled_is_in_no_total_and_says_why():
    silent = replace(market(), snapshots=six_market().snapshots)
    lines = (LONG, SHORT_PUT)  # the index stands still: no volatility can be estimated
    found = payload(six_book(lines=lines), given_market=silent)
    put = of(found, SHORT_PUT.symbol)
    assert (put.reason, put.delta, put.dollar_delta) == ("no_volatility", None, None)
    assert found.totals.dollar_delta == 80_000
    assert {name: getattr(found.totals, name) for name in OF_OPTIONS} == dict.fromkeys(OF_OPTIONS)
    assert (found.status, found.coverage.modelled_option_positions) == ("insufficient", 0)
    assert [note.code for note in found.notes] == ["unmodelled_options"]
    assert found.coverage.modelled_share < 1
    both = payload(six_book(lines=(SHORT_PUT, LONG_CALL)), given_market=market_without_put())
    assert both.status == "partial"
    alone = of(both, LONG_CALL.symbol)
    assert both.totals.vega == alone.position_vega
    assert both.totals.dollar_delta_of_options == alone.dollar_delta


def test_of_options_that_cannot_be_modelled_nothing_is_known():
    silent = replace(market(), snapshots=six_market().snapshots)
    found = payload(six_book(lines=(SHORT_PUT,)), given_market=silent)
    assert (found.status, found.totals.dollar_delta, found.totals.vega) == (
        "insufficient",
        None,
        None,
    )


def test_a_security_without_a_price_stands_at_its_entry_price_and_is_named():
    unheard_of = LONG._replace(symbol="ZZZZQ", underlying="ZZZZQ")
    found = payload(six_book(lines=(SHORT, unheard_of)))
    assert (found.status, found.totals.dollar_delta) == ("partial", 400 * 150 - 30_000)
    assert [note.code for note in found.notes] == ["unpriced_securities"]
    assert found.totals.vega == 0


def market_without_put():
    everything = market()
    said = everything.snapshots
    keep = np.array([" P " not in name for name in said.symbols])
    tables = {
        name: getattr(said, name)[keep]
        for name in (
            *("bid", "ask", "market_cap", "dividend_yield", "beta", "volume"),
            *("open_interest", "underlying_price"),
        )
    }
    symbols = tuple(name for name in said.symbols if " P " not in name)
    return replace(everything, snapshots=replace(said, symbols=symbols, **tables))


def test_incomplete_terms_are_named():
    book = six_book(lines=(LONG, LONG_CALL))
    broken = replace(book.positions[1], strike_price=None)
    found = payload(replace(book, positions=(book.positions[0], broken)))
    assert of(found, LONG_CALL.symbol).reason == "incomplete_terms"
    assert found.status == "insufficient"


@pytest.mark.parametrize("lines", [(), (PRIVATE,)])
def test_a_book_that_no_market_moves_has_no_greeks_to_add(lines):
    found = payload(six_book(lines=lines))
    assert (found.totals.dollar_delta, found.totals.vega) == (0, 0)
    assert (found.status, found.by_underlying) == ("ok", [])
    assert found.coverage.modelled_share == (0 if lines else None)
    assert [one.kind for one in found.positions] == ["private"] * len(lines)


def test_a_split_changes_no_money():
    """Two for one since the book was stated; the option's quote is then of other terms."""
    book = six_book(lines=(LONG_CALL, SHORT))
    quiet = replace(market(), snapshots=six_market().snapshots)
    moving = np.tile([100.0, 101.0], len(quiet.prices.sessions))[: len(quiet.prices.sessions)]
    xom = quiet.prices.columns["XOM"]
    close = quiet.prices.close.copy()
    close[:, xom] = moving / moving[-1] * 100
    whole = replace(quiet, prices=replace(quiet.prices, close=close))
    ratio, halved = quiet.prices.split_ratio.copy(), close.copy()
    ratio[-1, xom] = 2.0
    halved[-1, xom] /= 2
    split = replace(quiet, prices=replace(quiet.prices, close=halved, split_ratio=ratio))
    before, after = (payload(book, given_market=one) for one in (whole, split))
    assert of(after, LONG_CALL.symbol).quantity == 10
    assert of(after, LONG_CALL.symbol).strike == 50
    for name in ("dollar_delta", "dollar_gamma", "vega", "theta", "rho"):
        assert getattr(after.totals, name) == pytest.approx(getattr(before.totals, name), rel=1e-5)
    assert before.totals.vega > 0


def test_a_multiplier_is_units_per_contract():
    book = six_book(lines=(LONG_CALL,))
    mini = replace(book.positions[0], multiplier=Decimal(10), quantity=Decimal(50))
    one, other = payload(book), payload(replace(book, positions=(mini,)))
    assert one.totals == other.totals
