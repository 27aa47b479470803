"""Names of listed options."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.options import Contract

CALL = Contract("SPY", date(2026, 3, 20), "call", Decimal("450.0000"))


def test_a_contract_is_named_by_its_terms():
    assert CALL.symbol == "SPY 2026-03-20 C 450"
    assert Contract.parse(CALL.symbol) == CALL


@given(
    st.builds(
        Contract,
        st.from_regex(r"[A-Z0-9._-]{1,12}", fullmatch=True),
        st.dates(date(2015, 1, 1), date(2099, 12, 31)),
        st.sampled_from(["call", "put"]),
        st.decimals("0.0001", "99999999", places=4),
    )
)
def test_every_contract_is_read_back_from_its_name(contract):
    assert Contract.parse(contract.symbol) == contract


@pytest.mark.parametrize(
    "symbol",
    [
        *("SPY", "", "SPY260320C00450000", "SPY 2026-03-20 C", "SPY 2026-03-20 X 450"),
        *("SPY 2026-02-30 C 450", "SPY 2026-03-20 C 450.0", "SPY 2026-03-20 C 0"),
        *(
            "SPY 2026-03-20 C -4",
            "SPY 2026-03-20 C 1e3",
            "SPY 2026-03-20 C 450 ",
            "SPY 2026-03-20 C 0450",
        ),
    ],
)
def test_anything_else_names_no_contract(symbol):
    assert Contract.parse(symbol) is None
