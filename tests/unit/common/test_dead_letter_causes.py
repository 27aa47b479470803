"""The same fault in a thousand messages is one group."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.dead_letters.cause import fault_of, group_of
from common.failures import REASON_LIMIT, one_line

ONE, OTHER = UUID(int=17), UUID("3f2a91bc-77d0-4e11-9c4e-0d7a4f1c2b3e")
FAULTS = [
    "ValueError: no such shelf",
    "KeyError: {}",
    "ValueError: book {} has {} positions, as of {}",
    "Unavailable: http://127.0.0.1:{}/internal answered {}",
    "IntegrityError: Key (email)=({}) already exists",
    "Unparseable: portfolio.created.v1: book.positions.{}.quantity: not a valid decimal",
    "WorkerDied: {} attempts in a row ended without an answer",
    "AssertionError: [{}, {}] is not {}",
]
_TEXTS = st.text(st.characters(codec="ascii", exclude_characters="'\"\\"), max_size=30)
VALUES = {
    "integer": st.integers().map(str),
    "float": st.floats(allow_nan=False, allow_infinity=False).map(str),
    "id": st.uuids().map(str),
    "quoted": _TEXTS.map(repr),
    "quoted twice": _TEXTS.map(json.dumps),
    "date": st.dates().map(str),
    "time": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"KeyError: {ONE}", f"KeyError: {OTHER}"),
        (f"KeyError: UUID('{ONE}')", f"KeyError: UUID('{OTHER}')"),
        ("KeyError: 'AAPL'", "KeyError: 'BRK.B'"),
        ('ValueError: no "a shelf"', 'ValueError: no "it\'s"'),
        ("ValueError: -1.5 is too small", "ValueError: 3e-07 is too small"),
        ("ValueError: 1,000,000 is too much", "ValueError: 7 is too much"),
        ("ValueError: bad sum [1, 2, 3]", "ValueError: bad sum [1, 2]"),
        ("E: not closed on 2026-01-05", "E: not closed on 2026-01-05T21:00:00+00:00"),
        ("E: <Session object at 0x7f00aa10>", "E: <Session object at 0x7f11bb20>"),
        ("E: ada@example.com is taken", "E: bob.b+c@sub.example.org is taken"),
        ("E: worker t3f2a91bc died", "E: worker t3f2a91bc died"),
        ("E: took 5ms", "E: took 17ms"),
        ("E: line\n  two", "E: line two"),
    ],
)
def test_what_is_particular_to_a_message_does_not_part_it_from_its_group(one, other):
    assert group_of("queue:chat", "a.v1", one) == group_of("queue:chat", "a.v1", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("KeyError: 'a'", "ValueError: 'a'"),
        ("ValueError: no such shelf", "ValueError: no such book"),
        ("E: v1 can't", "E: v2 won't"),
        ("E: it isn't there, isn't it", "E: it isn't here, isn't it"),
        ("E: 12 are missing", "E: none are missing"),
    ],
)
def test_different_faults_are_different_groups(one, other):
    assert fault_of(one) != fault_of(other)


def test_the_same_fault_elsewhere_is_another_group():
    assert len({group_of(*of, "E: x") for of in [("a", "b"), ("a", "c"), ("b", "b")]}) == 3


def test_a_fault_is_readable():
    reason = (
        "ValueError: book 3f2a91bc-0000-4000-8000-000000000001 has 17 positions on '2026-01-05'"
    )
    assert fault_of(reason) == "ValueError: book <id> has <number> positions on <value>"


@pytest.mark.parametrize("kind", VALUES)
@given(st.data())
def test_a_fault_is_the_same_whatever_values_it_fell_over(kind, data):
    fault = data.draw(st.sampled_from(FAULTS))
    one, other = (data.draw(st.tuples(*[VALUES[kind]] * 3)) for _ in range(2))
    assert fault_of(fault.format(*one)) == fault_of(fault.format(*other))


@given(st.text())
def test_any_text_has_a_fault_which_is_its_own(text):
    fault = fault_of(one_line(text))
    assert len(fault) <= 200
    assert fault_of(fault) == fault or len(fault) == 200


@given(st.integers(min_value=0, max_value=400), st.integers(min_value=0, max_value=400))
def test_a_value_so_long_that_its_end_is_cut_off_changes_nothing(one, other):
    told = [
        one_line(f"KeyError: '{'x' * (REASON_LIMIT + size)}' is missing") for size in (one, other)
    ]
    assert fault_of(told[0]) == fault_of(told[1])
