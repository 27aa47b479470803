"""A chunk laid out: who depends on what, and by how much."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from risk_engine.domain import History, Market, Rates, Snapshots
from risk_engine.engine.frame import Frame, lay_out_chunk
from risk_engine.engine.underlyings import Key
from tests.unit.risk_engine.books import AS_OF, NAN, book, market, option, position, private

CLOSES = {"AAA": [10, 10, 10, 11, 11, 11, 11, 12], "SPY": [500, 500, 505, 505, 505, 505, 505, 510]}


def laid_out(*books) -> Frame:
    prices = market({name: [float(close) for close in closes] for name, closes in CLOSES.items()})
    everything = Market(prices, prices, Snapshots.silent(), {}, Rates.unknown(), None)
    return lay_out_chunk(books, everything, {}, [History.none()] * len(books))


def test_lots_and_options_depend_on_one_underlying():
    frame = laid_out(
        book([position(1, "SPY", "2", "400"), position(2, "SPY", "3", "450"), option(3, "1", "20")])
    )
    assert frame.underlyings.keys == (Key("SPY", None),)
    assert frame.exposures.underlying.tolist() == [0, 0, 0]
    assert frame.exposures.contract.tolist() == [-1, -1, 0]


def test_a_private_asset_is_not_the_share_whose_letters_it_has():
    frame = laid_out(book([position(1, "AAA", "1", "10"), private(2, "AAA", "5000")]))
    assert frame.underlyings.keys == (Key("AAA", None), Key("AAA", "PRIVATE_EQUITY"))
    assert frame.underlyings.kinds == ("unknown", "private")
    assert frame.dollar_deltas.tolist() == [[12.0, 5000.0]]
    assert np.isnan(frame.underlyings.returns[:, 1]).all()


def test_cash_is_of_its_own_kind():
    cash = replace(private(1, "CASH_USD", "100"), investment_subtype="cash")
    assert laid_out(book([cash])).underlyings.kinds == ("cash",)


def test_returns_are_of_each_session():
    returns = laid_out(book([position(1, "AAA", "1", "10")])).underlyings.returns[:, 0]
    np.testing.assert_allclose(returns, [NAN, 0, 0, 0.1, 0, 0, 0, 1 / 11], rtol=1e-12)


def test_what_is_not_open_is_exposed_to_nothing():
    sold = position(1, "AAA", "1", "10", exit_date=AS_OF, exit_price=Decimal(12))
    frame = laid_out(book([sold]))
    assert frame.exposures.is_open.tolist() == [False]
    assert frame.exposures.dollar_delta.tolist() == [0.0]


def test_shorts_are_negative_and_accounts_apart():
    frame = laid_out(
        book([position(1, "AAA", "-10", "10")], number=1),
        book([position(2, "AAA", "4", "10"), position(3, "SPY", "1", "500")], number=2),
    )
    assert frame.dollar_deltas.tolist() == [[-120.0, 0.0], [48.0, 510.0]]


def test_an_option_nobody_can_model_is_not_known_rather_than_nothing():
    frame = laid_out(book([option(1, "1", "20")]))
    assert np.isnan(frame.exposures.dollar_delta).all()
    assert frame.dollar_deltas.tolist() == [[0.0]]


@pytest.mark.parametrize("count", [1, 3])
def test_company_changes_nothing(count):
    one = book([position(1, "AAA", "-10", "10"), position(2, "SPY", "3", "500")], number=1)
    others = [
        book([position(9, "AAA", "7", "10")], number=number) for number in range(2, count + 2)
    ]
    alone, among = laid_out(one), laid_out(one, *others)
    assert alone.dollar_deltas[0].tobytes() == among.dollar_deltas[0].tobytes()
