"""A book's results are its own: neither the company in the chunk nor the order of lines shows."""

import random
from dataclasses import replace

import pytest

from common.events.onboarding import Book
from risk_engine.domain import ENGINES, Market
from risk_engine.engine.chunk import Calculated, calculate
from risk_engine.engine.memo import Memo
from tests.support.odd_books import odd_books, odd_market, stored

BOOKS = odd_books()
COMPARED = (
    *("everything", "net short", "only private assets", "one position"),
    "positions in other currencies",
)


@pytest.fixture(scope="module")
def market():
    return odd_market(BOOKS)


@pytest.fixture(scope="module")
def among_all(market) -> dict[str, Calculated]:
    found = calculate([stored(one) for one in BOOKS.values()], market)
    return {
        name: one
        for name, one in zip(BOOKS, found, strict=True)
        if isinstance(one, Calculated) and name in COMPARED
    }


def alone(book: Book, market: Market) -> Calculated:
    (found,) = calculate([stored(book)], market)
    assert isinstance(found, Calculated)
    return found


@pytest.mark.parametrize("name", COMPARED)
def test_a_book_alone_has_the_same_results_as_among_others(name, market, among_all):
    found = alone(BOOKS[name], market)
    assert found.results.keys() == set(ENGINES), found.failed
    different = [
        engine for engine in ENGINES if found.results[engine] != among_all[name].results[engine]
    ]
    assert not different


def test_what_a_process_remembers_of_other_chunks_changes_no_number(market, among_all):
    memo = Memo()
    others = [one for name, one in BOOKS.items() if name not in COMPARED]
    for some in (others[:3], others[3:], *([BOOKS[name]] for name in COMPARED)):
        found = calculate([stored(one) for one in some], market, memo=memo)
        assert len(found) == len(some)
    for name in COMPARED:
        (again,) = calculate([stored(BOOKS[name])], market, memo=memo)
        assert isinstance(again, Calculated)
        assert again.results == among_all[name].results


def test_a_memo_takes_no_market_for_another(market):
    (name,) = COMPARED[:1]
    prices = market.prices
    close, curves = prices.close * 1.01, replace(market.rates, zero=market.rates.zero + 0.01)
    reference = replace(market.reference, close=market.reference.close[:, ::-1].copy())
    memo = Memo()
    for changed in (
        market,
        replace(market, prices=replace(prices, close=close)),
        replace(market, rates=curves),
        replace(market, reference=reference),
    ):
        (found,) = calculate([stored(BOOKS[name])], changed, memo=memo)
        assert isinstance(found, Calculated)
        assert found.results == alone(BOOKS[name], changed).results


@pytest.mark.parametrize("name", COMPARED)
def test_the_order_of_positions_does_not_show(name, market, among_all):
    book = BOOKS[name]
    positions = list(book.positions or ())
    random.Random(1).shuffle(positions)
    shuffled = book.model_copy(update={"positions": tuple(positions)})
    found = alone(shuffled, market)
    assert found.results == among_all[name].results


@pytest.mark.parametrize("name", COMPARED)
def test_another_version_of_the_panel_with_the_same_prices_changes_no_number(
    name, market, among_all
):
    later = replace(market, prices=replace(market.prices, panel_version=99))
    found = alone(BOOKS[name], later)
    hashes = {engine: one.input_hash for engine, one in found.results.items()}
    assert hashes == {engine: one.input_hash for engine, one in among_all[name].results.items()}
