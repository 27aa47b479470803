"""An expired option is settled at what it was worth to exercise."""

import numpy as np
import pytest

from risk_engine.quant.expiry import Expiries, settlement
from risk_engine.quant.panel import NO_COLUMN, Panel

NAN = float("nan")
CLOSE = np.array([[100.0, 50.0], [110.0, NAN], [60.0, NAN], [58.0, NAN], [57.0, NAN], [56.0, NAN]])


def option(*terms):
    return Expiries(*(np.array([one]) for one in terms))


def settled(expiry, strike, *, call=True, column=0, since=10):
    ratio = np.ones(CLOSE.shape)
    ratio[2, 0] = 2.0
    panel = Panel(np.arange(10, 16), CLOSE, ratio, np.zeros(CLOSE.shape))
    return settlement(panel, option(column, since, expiry, call, strike))[0]


@pytest.mark.parametrize(
    ("more", "paid"),
    [
        ({"expiry": 11, "strike": 95.0}, 15.0),
        ({"expiry": 11, "strike": 115.0}, 0.0),
        ({"expiry": 11, "strike": 115.0, "call": False}, 5.0),
        ({"expiry": 11, "strike": 95.0, "call": False}, 0.0),
        ({"expiry": 13, "strike": 95.0}, 58 - 47.5),  # the split halved the strike
        ({"expiry": 13, "strike": 50.0, "since": 12}, 8.0),  # bought after it
        ({"expiry": 11, "strike": 45.0, "column": 1}, 5.0),  # a close one session old
        ({"expiry": 14, "strike": 45.0, "column": 1}, NAN),  # four sessions old
        ({"expiry": 16, "strike": 45.0}, NAN),  # yet to come
        ({"expiry": 9, "strike": 45.0}, NAN),  # before the panel
        ({"expiry": 11, "strike": 45.0, "column": NO_COLUMN}, NAN),
    ],
    ids=str,
)
def test_an_option_pays_its_intrinsic_value(more, paid):
    assert settled(**more) == pytest.approx(paid, nan_ok=True)


def test_a_weekend_expiry_takes_the_close_before():
    panel = Panel(
        np.array([10, 14]), np.array([[100.0], [90.0]]), np.ones((2, 1)), np.zeros((2, 1))
    )
    assert settlement(panel, option(0, 10, 12, True, 95.0)).tolist() == [5.0]
