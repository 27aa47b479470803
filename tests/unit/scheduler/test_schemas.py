"""What is not known is null with a sentence, never a zero."""

from scheduler.domain import Coverage
from scheduler.schemas import NOT_PRICED_YET, NOTHING_TO_PRICE, Preprocessing


def test_prices_not_heard_of_are_null_with_a_sentence():
    unknown = Preprocessing.of(None)
    assert unknown.symbols_count is unknown.price_coverage_percentage is None
    assert unknown.prices_bootstrapped is None
    assert (unknown.ready_for_batch, unknown.warnings) == (False, [NOT_PRICED_YET])


def test_a_book_with_nothing_to_price_has_no_coverage():
    empty = Preprocessing.of(Coverage(0, None, (), sufficient=True))
    assert (empty.symbols_count, empty.price_coverage_percentage) == (0, None)
    assert (empty.ready_for_batch, empty.warnings) == (True, [NOTHING_TO_PRICE])


def test_every_missing_symbol_is_named_with_its_reason():
    missing = (
        ("ZZZZ", "unknown_symbol", "The provider does not know this symbol."),
        ("YYYY", "no_price", ""),
    )
    poor = Preprocessing.of(Coverage(3, 1 / 3, missing, sufficient=False))
    assert (poor.symbols_count, poor.prices_bootstrapped) == (3, 1)
    assert poor.price_coverage_percentage == 33.33
    assert poor.warnings == [
        "ZZZZ has no usable prices (unknown_symbol). The provider does not know this symbol.",
        "YYYY has no usable prices (no_price).",
    ]
    assert poor.recommendations
