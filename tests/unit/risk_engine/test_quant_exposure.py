"""Exposures: the six positions by hand, plain loops as an oracle, and what holds for any book."""

import math
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_engine.quant.exposure import (
    beta_adjusted,
    known_share,
    known_sum,
    long_short,
    net_by_pair,
    notional,
    pair_up,
    share_of,
)
from tests.unit.risk_engine.six_positions import NAV, SIX_POSITIONS

NAN = float("nan")


class Book(NamedTuple):
    """Holdings of one or several accounts, as the quant layer is given them."""

    account: np.ndarray
    underlying: np.ndarray
    units: np.ndarray
    spot: np.ndarray
    delta: np.ndarray
    gamma: np.ndarray
    vega: np.ndarray

    @property
    def dollar_delta(self):
        return self.units * self.delta * self.spot

    @property
    def dollar_gamma(self):
        return self.units * self.gamma * self.spot**2 / 100

    @property
    def dollar_vega(self):
        return self.units * self.vega


def totals(book, accounts=1):
    """Return every total of a book by name, (accounts,)."""
    pairs = pair_up(book.account, book.underlying, accounts)
    beta = 0.5 + 0.1 * np.arange(book.underlying.max(initial=0) + 1)
    delta = net_by_pair(pairs, book.dollar_delta)
    answer = {"beta_adjusted": beta_adjusted(pairs, delta, beta)}
    for name, amount in (
        ("delta", delta),
        ("gamma", net_by_pair(pairs, book.dollar_gamma)),
        ("vega", net_by_pair(pairs, book.dollar_vega)),
    ):
        sums = long_short(pairs.account, amount, accounts)
        answer |= {f"{name}_{side}": getattr(sums, side) for side in ("long", "short", "gross")}
        answer[f"{name}_net"] = sums.net
    answer["notional"] = known_sum(book.account, notional(book.units, book.spot), accounts)
    return answer


def six_positions():
    """Return the open ones of the six positions; underlyings in the order of their symbols."""
    lines = [line for line in SIX_POSITIONS if line.exit_date is None]
    symbols = sorted({line.underlying for line in lines})
    of_options = {
        name: [NAN if line.contract is None else getattr(line.contract, name) for line in lines]
        for name in ("delta", "gamma", "vega")
    }
    greeks = {
        name: np.where(np.isnan(values), 1.0 if name == "delta" else 0.0, values)
        for name, values in of_options.items()
    }
    return symbols, Book(
        account=np.zeros(len(lines), dtype=np.int64),
        underlying=np.array([symbols.index(line.underlying) for line in lines]),
        units=np.array([line.quantity * line.multiplier for line in lines]),
        spot=np.array([line.spot for line in lines]),
        **greeks,
    )


def test_market_values_of_the_six_positions():
    """Long 80,000 + 3,639.35; short -30,000 - 4,578.09; the fund has no market value."""
    values = [
        line.quantity * line.multiplier * line.price
        for line in SIX_POSITIONS
        if line.price is not None and line.exit_date is None
    ]
    sums = long_short(np.zeros(4, dtype=np.int64), np.array(values), 1)
    assert sums.long[0] == pytest.approx(83_639.35, abs=1e-9)
    assert sums.short[0] == pytest.approx(-34_578.09, abs=1e-9)
    assert sums.gross[0] == pytest.approx(118_217.44, abs=1e-9)
    assert sums.net[0] == pytest.approx(49_061.26, abs=1e-9)
    # 83,639.35 / 305,761.26 = .273545...
    assert share_of(sums.long, np.array([NAV]))[0] == pytest.approx(0.2735446, abs=5e-8)


def test_delta_adjusted_exposures_of_the_six_positions():
    """Dollar deltas: AAPL 400 x 200 = 80,000; the fund 50,000; KO is sold.

    XOM: shares -300 x 100 = -30,000, calls 5 x 100 x .5814280187 x 100 = 29,071.40, net -928.60.
    RUT: puts -1 x 100 x -.2747384496 x 2,000 = 54,947.69: who is short a put is long.
    Long 80,000 + 50,000 + 54,947.69 = 184,947.69; short -928.60; gross 185,876.29; net 184,019.09.
    Without netting, gross would be 80,000 + 50,000 + 54,947.69 + 30,000 + 29,071.40 = 244,019.09.
    """
    _, book = six_positions()
    found = totals(book)
    assert found["delta_long"][0] == pytest.approx(184_947.69, abs=0.005)
    assert found["delta_short"][0] == pytest.approx(-928.60, abs=0.005)
    assert found["delta_gross"][0] == pytest.approx(185_876.29, abs=0.005)
    assert found["delta_net"][0] == pytest.approx(184_019.09, abs=0.005)
    # Leverage: 185,876.29 / 305,761.26 = .607913...
    leverage = share_of(found["delta_gross"], np.array([NAV]))[0]
    assert leverage == pytest.approx(0.6079131, abs=5e-8)
    unnetted = long_short(book.account, book.dollar_delta, 1)
    assert unnetted.gross[0] == pytest.approx(244_019.09, abs=0.005)
    # Notional: 80,000 + 30,000 + 500 x 100 + 100 x 2,000 + 50,000.
    assert found["notional"][0] == 410_000


def test_exposure_to_the_market_of_the_six_positions():
    """80,000 x 1.2 = 96,000; -928.60 x .8 = -742.88; 54,947.69 x 1.1 = 60,442.46; 50,000 x 1.43.

    Together 96,000 - 742.88 + 60,442.46 + 71,500 = 227,199.58.
    """
    symbols, book = six_positions()
    betas = {line.underlying: line.beta for line in SIX_POSITIONS}
    pairs = pair_up(book.account, book.underlying, 1)
    beta = np.array([betas[symbol] for symbol in symbols])
    found = beta_adjusted(pairs, net_by_pair(pairs, book.dollar_delta), beta)
    assert found[0] == pytest.approx(227_199.58, abs=0.005)


def test_convexity_of_the_six_positions():
    """Per 1 %, calls 500 x .0247039040 x 100^2 / 100 = 1,235.20, puts -100 x .0013156605 x 2,000^2
    / 100 = -5,262.64: net -4,027.45, gross 6,497.84.

    Per volatility point, calls 500 x .2470390398 = 123.52, puts -100 x 4.2101135499 = -421.01:
    net -297.49, gross 544.53. Of NAV: gamma 6,497.84 / 305,761.26 = 2.125 %, vega .178 %.
    """
    found = totals(six_positions()[1])
    assert found["gamma_net"][0] == pytest.approx(-4_027.45, abs=0.005)
    assert found["gamma_gross"][0] == pytest.approx(6_497.84, abs=0.005)
    assert found["vega_net"][0] == pytest.approx(-297.49, abs=0.005)
    assert found["vega_gross"][0] == pytest.approx(544.53, abs=0.005)
    shares = share_of(np.array([found["gamma_gross"][0], found["vega_gross"][0]]), np.full(2, NAV))
    assert shares == pytest.approx([0.0212513, 0.0017809], abs=5e-8)


def test_a_straddle_has_no_direction_but_convexity():
    """The call and the put of one strike, struck where their deltas cancel: C15's finding."""
    straddle = Book(
        account=np.zeros(2, dtype=np.int64),
        underlying=np.zeros(2, dtype=np.int64),
        units=np.array([1_000.0, 1_000.0]),
        spot=np.full(2, 100.0),
        delta=np.array([0.5, -0.5]),
        gamma=np.full(2, 0.03),
        vega=np.full(2, 0.2),
    )
    found = totals(straddle)
    assert found["delta_gross"][0] == 0
    assert found["gamma_gross"][0] == pytest.approx(2 * 1_000 * 0.03 * 100**2 / 100)
    assert found["vega_gross"][0] == pytest.approx(2 * 1_000 * 0.2)


def drawn(seed, accounts=7, size=400):
    """Return random holdings of several accounts, some Greeks of which are not known."""
    chance = np.random.default_rng(seed)
    delta = chance.uniform(-1, 1, size)
    delta[chance.random(size) < 0.05] = NAN
    return Book(
        account=chance.integers(0, accounts, size),
        underlying=chance.integers(0, 30, size),
        units=chance.normal(0, 1e3, size).round(),
        spot=np.exp(chance.normal(4, 1, size)),
        delta=delta,
        gamma=chance.exponential(0.02, size),
        vega=chance.exponential(0.3, size),
    )


def by_loops(book, accounts):
    """Return the same totals with dictionaries and exact sums."""
    amounts = {
        "delta": book.dollar_delta,
        "gamma": book.dollar_gamma,
        "vega": book.dollar_vega,
    }
    answer = {"notional": np.zeros(accounts), "beta_adjusted": np.zeros(accounts)}
    for account in range(accounts):
        mine = np.flatnonzero(book.account == account).tolist()
        sizes = [abs(book.units[one]) * book.spot[one] for one in mine]
        answer["notional"][account] = math.fsum(sizes)
        for name, amount in amounts.items():
            parts = defaultdict(list)
            for one in mine:
                if not math.isnan(amount[one]):
                    parts[int(book.underlying[one])].append(float(amount[one]))
            netted = {key: math.fsum(values) for key, values in parts.items()}
            sides = {
                "long": [value for value in netted.values() if value > 0],
                "short": [value for value in netted.values() if value < 0],
                "gross": [abs(value) for value in netted.values()],
                "net": list(netted.values()),
            }
            for side, values in sides.items():
                answer.setdefault(f"{name}_{side}", np.zeros(accounts))[account] = math.fsum(values)
            if name == "delta":
                weighted = [value * (0.5 + 0.1 * key) for key, value in netted.items()]
                answer["beta_adjusted"][account] = math.fsum(weighted)
    return answer


@pytest.mark.parametrize("seed", range(20))
def test_all_accounts_at_once_are_what_loops_make_of_each(seed):
    book = drawn(seed)
    found, expected = totals(book, 7), by_loops(book, 7)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, atol=1e-8, err_msg=name)


def parted(book, places):
    """Return some of the holdings, in the order given."""
    return Book(*(column[places] for column in book))


@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_the_order_of_the_holdings_does_not_matter(seed, shuffler):
    book = drawn(seed, size=60)
    places = list(range(60))
    shuffler.shuffle(places)
    shuffled = totals(parted(book, np.array(places)), 7)
    for name, values in totals(book, 7).items():
        np.testing.assert_allclose(shuffled[name], values, rtol=1e-12, atol=1e-9)


@given(st.integers(0, 10_000))
def test_the_company_does_not_change_a_bit(seed):
    book = drawn(seed, size=120)
    together = totals(book, 7)
    for account in range(7):
        alone = parted(book, np.flatnonzero(book.account == account))
        found = totals(alone._replace(account=np.zeros(len(alone.account), dtype=np.int64)))
        for name, values in together.items():
            np.testing.assert_array_equal(found[name], values[account : account + 1])


@given(st.integers(0, 10_000))
def test_the_other_side_of_every_position_is_the_other_side_of_every_total(seed):
    book = drawn(seed, size=60)
    found, flipped = totals(book, 7), totals(book._replace(units=-book.units), 7)
    for name in ("delta", "gamma", "vega"):
        np.testing.assert_array_equal(flipped[f"{name}_long"], -found[f"{name}_short"])
        np.testing.assert_array_equal(flipped[f"{name}_gross"], found[f"{name}_gross"])
        np.testing.assert_array_equal(flipped[f"{name}_net"], -found[f"{name}_net"])
    np.testing.assert_array_equal(flipped["beta_adjusted"], -found["beta_adjusted"])


@given(st.integers(0, 10_000), st.floats(0.01, 0.99))
def test_two_lots_of_a_position_are_one(seed, part):
    book = drawn(seed, size=40)
    both = parted(book, np.r_[np.arange(40), np.arange(40)])
    lots = both._replace(units=np.r_[part * book.units, (1 - part) * book.units])
    found = totals(lots, 7)
    for name, values in totals(book, 7).items():
        np.testing.assert_allclose(found[name], values, rtol=1e-10, atol=1e-6)


@given(st.integers(0, 10_000))
def test_a_split_of_two_for_one_changes_nothing(seed):
    book = drawn(seed, size=40)
    split = book._replace(
        units=2 * book.units, spot=book.spot / 2, gamma=2 * book.gamma, vega=book.vega / 2
    )
    found = totals(split, 7)
    for name, values in totals(book, 7).items():
        np.testing.assert_array_equal(found[name], values)


def test_cash_changes_no_dollar_and_every_share():
    """Cash is in NAV alone, so that 100,000 more of it dilute 60,000 from 60 to 30 percent."""
    gross = np.array([60_000.0, 60_000.0])
    assert share_of(gross, np.array([100_000.0, 200_000.0])).tolist() == [0.6, 0.3]


def test_of_nothing_or_less_there_is_no_share():
    assert np.isnan(share_of(np.ones(3), np.array([0.0, -5.0, NAN]))).all()


def test_what_is_not_known_is_left_out_until_nothing_is_known():
    account = np.array([0, 0, 1, 2])
    sums = long_short(account, np.array([5.0, NAN, NAN, 0.0]), 4)
    np.testing.assert_array_equal(sums.net, [5.0, NAN, 0.0, 0.0])
    np.testing.assert_array_equal(sums.gross, [5.0, NAN, 0.0, 0.0])
    pairs = pair_up(account, np.zeros(4, dtype=np.int64), 4)
    netted = net_by_pair(pairs, np.array([5.0, NAN, NAN, 0.0]))
    np.testing.assert_array_equal(netted, [5.0, NAN, 0.0])
    known = beta_adjusted(pairs, netted, np.array([NAN]))
    np.testing.assert_array_equal(known, [NAN, NAN, NAN, 0.0])


def test_lots_that_cancel_but_for_rounding_are_nothing():
    """0.1 + 0.2 - 0.3 is 5.6e-17 in doubles; a billionth of the gross and more is a position."""
    pairs = pair_up(np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64), 1)
    assert 0.1 + 0.2 - 0.3 != 0
    assert net_by_pair(pairs, np.array([0.1, 0.2, -0.3]))[0] == 0
    assert net_by_pair(pairs, np.array([1e8, -1e8, 0.01]))[0] == 0
    assert net_by_pair(pairs, np.array([1e8, -1e8, 1.0]))[0] == pytest.approx(1.0)
    one = pair_up(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), 1)
    assert net_by_pair(one, np.array([1e-12]))[0] == 1e-12


def test_the_share_of_what_is_marked_is_of_gross_value():
    account = np.array([0, 0, 0, 1])
    value = np.array([60.0, -30.0, 10.0, 0.0])
    marked = np.array([True, True, False, True])
    np.testing.assert_array_equal(known_share(account, value, marked, 3), [0.9, NAN, NAN])


def test_no_holdings_are_fine():
    empty = np.empty(0, dtype=np.int64)
    pairs = pair_up(empty, empty, 2)
    assert len(pairs) == 0
    assert long_short(pairs.account, np.empty(0), 2).gross.tolist() == [0.0, 0.0]
