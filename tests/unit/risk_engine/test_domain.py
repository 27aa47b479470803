"""Prices refuse axes that do not match, and every engine has one name."""

from dataclasses import replace

import numpy as np
import pytest

from risk_engine.domain import ENGINES
from risk_engine.engine.registry import ENGINES_BY_NAME, MODEL_VERSIONS
from tests.unit.risk_engine.books import SESSIONS, market

PRICES = market({"AAA": (1.0,) * 8, "BBB": (2.0,) * 8})


def test_rows_and_columns_are_found_by_session_and_symbol():
    row, column = PRICES.rows[SESSIONS[3]], PRICES.columns["BBB"]
    assert (row, column, PRICES.close[row, column]) == (3, 1, 2.0)


@pytest.mark.parametrize("table", ["close", "split_ratio", "dividend"])
def test_a_table_of_another_shape_is_refused(table):
    with pytest.raises(ValueError, match=f"{table} has shape"):
        replace(PRICES, **{table: np.ones((8, 3))})


def test_sessions_out_of_order_are_refused():
    with pytest.raises(ValueError, match="ascending"):
        replace(PRICES, sessions=SESSIONS[::-1])


def test_there_are_eight_engines_and_every_one_runs():
    assert len(ENGINES) == 8
    assert tuple(ENGINES_BY_NAME) == tuple(MODEL_VERSIONS) == ENGINES
