"""A memo makes each thing once, forgets what was used longest ago, and changes no number."""

import numpy as np
import pytest

from risk_engine.engine import memo as module
from risk_engine.engine.memo import AT_ONCE, Memo
from risk_engine.quant.panel import IntArray


def digests(*numbers: int) -> list[bytes]:
    return [number.to_bytes(4) for number in numbers]


class Squares:
    """Squares numbers, and remembers which it was asked for."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = np.array(numbers, dtype=np.int64)
        self.asked: list[list[int]] = []

    def __call__(self, rows: IntArray):
        self.asked.append(self.numbers[rows].tolist())
        return {"square": self.numbers[rows] ** 2, "both": np.stack([self.numbers[rows]] * 2, 1)}

    def of(self, memo: Memo, shared: bytes = b"") -> list[int]:
        found = memo.rows("squares", shared, digests(*self.numbers.tolist()), self)
        return [int(square) for square in found["square"]]


def test_a_thing_is_made_once_for_a_digest():
    memo, made = Memo(), iter(range(9))
    assert [memo.once("one", b"a", lambda: next(made)) for _ in range(3)] == [0, 0, 0]
    assert memo.once("one", b"b", lambda: next(made)) == 1
    assert memo.once("other", b"a", lambda: next(made)) == 2


def test_what_was_used_longest_ago_is_forgotten(monkeypatch):
    monkeypatch.setattr(module, "THINGS", 2)
    memo, made = Memo(), iter(range(9))
    for digest in (b"a", b"b", b"a", b"c"):
        memo.once("one", digest, lambda: next(made))
    assert memo.once("one", b"a", lambda: next(made)) == 0
    assert memo.once("one", b"b", lambda: next(made)) == 3


def test_nothing_is_kept_of_what_could_not_be_made():
    memo = Memo()
    with pytest.raises(ZeroDivisionError):
        memo.once("one", b"a", lambda: 1 // 0)
    assert memo.once("one", b"a", lambda: 1) == 1


def test_only_rows_not_yet_known_are_made():
    memo, first, second = Memo(), Squares(3, 1), Squares(2, 3, 5, 1)
    assert first.of(memo) == [9, 1]
    assert second.of(memo) == [4, 9, 25, 1]
    assert (first.asked, second.asked) == ([[3, 1]], [[2, 5]])


def test_rows_of_another_shared_digest_are_others():
    memo, again = Memo(), Squares(3)
    Squares(3).of(memo, b"a")
    again.of(memo, b"b")
    assert again.asked == [[3]]


def test_equal_digests_are_one_row():
    same = Squares(4, 4, 4)
    assert same.of(Memo()) == [16, 16, 16]
    assert same.asked == [[4]]


def test_no_rows_still_have_columns():
    found = Memo().rows("squares", b"", [], Squares())
    assert {name: values.shape for name, values in found.items()} == {
        "square": (0,),
        "both": (0, 2),
    }


def test_rows_are_made_in_parts():
    many = Squares(*range(AT_ONCE + 1))
    assert many.of(Memo()) == [number**2 for number in range(AT_ONCE + 1)]
    assert [len(part) for part in many.asked] == [AT_ONCE, 1]


def test_a_table_that_would_grow_too_long_begins_anew(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 3)
    memo, both = Memo(), Squares(1, 3, 4)
    Squares(1, 2).of(memo)
    assert both.of(memo) == [1, 9, 16]
    assert both.asked == [[1, 3, 4]]


def test_rows_are_the_callers_to_change():
    memo, some = Memo(), Squares(3)
    memo.rows("squares", b"", digests(3), some)["square"][:] = 0
    assert some.of(memo) == [9]
