"""When something is tried again, and when it is given up."""

from common.errors import Unavailable
from common.retry import Retry

RETRY = Retry(ladder=(1.0, 10.0, 60.0), attempts=3)
DOWN = Unavailable("down")
WRONG = ValueError("wrong")


def test_unavailable_climbs_every_rung_and_is_then_given_up():
    assert [RETRY.pause(DOWN, attempts) for attempts in (1, 2, 3, 4)] == [1.0, 10.0, 60.0, None]


def test_unavailable_repeats_the_last_rung_when_it_is_never_given_up():
    assert [RETRY.pause(DOWN, attempts, forever=True) for attempts in (3, 4, 99)] == [60.0] * 3


def test_anything_else_gets_its_attempts():
    assert [RETRY.pause(WRONG, attempts) for attempts in (1, 2, 3)] == [1.0, 10.0, None]


def test_attempts_beyond_a_short_ladder_repeat_its_last_rung():
    retry = Retry(ladder=(0.5,), attempts=4)

    assert [retry.pause(WRONG, attempts) for attempts in (1, 2, 3, 4)] == [0.5, 0.5, 0.5, None]


def test_forever_does_not_save_an_error_that_no_waiting_mends():
    assert RETRY.pause(WRONG, 3, forever=True) is None


def test_pauses_grow_with_deaths_until_they_are_too_many():
    pauses = [Retry().pause_after_death(deaths) for deaths in (1, 2, 3, 4, 5, 6)]

    assert pauses == [1.0, 10.0, 60.0, 60.0, None, None]
    assert Retry(ladder=(1.0,)).pause_after_death(4) == 1.0
