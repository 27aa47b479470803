"""Payloads as bytes: what is packed comes back, and nothing else is packed."""

import numpy as np
import pytest

from risk_engine.engine.results import pack, table, unpack
from risk_engine.schemas.base import plain

ARRAYS = {
    "float64": np.array([[1.5, np.nan], [-0.0, np.inf]]),
    "float32": np.array([0.1, 0.2], dtype=np.float32),
    "int64": np.array([-1, 2**40]),
    "bool": np.array([True, False]),
    "nothing": np.empty((0, 3)),
    "of no axis": np.array(2.5),
    "not contiguous": np.arange(12.0).reshape(3, 4)[:, ::2],
    "big-endian": np.array([1.0, 2.0], dtype=">f8"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_as_it_was(name):
    array = ARRAYS[name]
    found = unpack(pack({"a": array}))["a"]
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape
    assert found.dtype == array.dtype.newbyteorder("<")


def test_a_tree_comes_back_as_it_was():
    tree = {
        "text": "é",
        "none": None,
        "list": [1, 2.5, True, {"deep": []}],
        "number": np.float64(3),
    }
    assert unpack(pack(tree)) == tree


def test_the_same_payload_is_the_same_bytes():
    assert pack({"a": 1, "b": ARRAYS["float64"]}) == pack({"a": 1, "b": ARRAYS["float64"].copy()})


@pytest.mark.parametrize("value", [object(), np.array(["text"]), np.array([1 + 2j])])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="cannot be packed"):
        pack({"a": value})


def test_rows_are_read_as_records_without_nan():
    rows = table(symbol=["A", "B"], value=np.array([1.0, np.nan]), count=np.array([1, 2]))
    read = plain(unpack(pack({"rows": rows, "all": float("nan"), "matrix": np.array([[np.nan]])})))
    assert read == {
        "rows": [
            {"symbol": "A", "value": 1.0, "count": 1},
            {"symbol": "B", "value": None, "count": 2},
        ],
        "all": None,
        "matrix": [[None]],
    }


def test_columns_of_two_lengths_are_no_table():
    with pytest.raises(ValueError, match="differ in length"):
        table(a=[1, 2], b=[1])
