"""Every engine with totals says alike what they rest on."""

import pytest

from risk_engine.engine import exposure, factors, greeks, market_risk, stress, volatility
from risk_engine.engine.results import pack, unpack
from risk_engine.schemas.base import plain
from risk_engine.schemas.exposure import Quality
from tests.unit.risk_engine.stress_books import EVERYTHING, account, frame_of, listed, share

ENGINES = (greeks, exposure, factors, volatility, market_risk, stress)


def qualities(*positions):
    frame = frame_of(account(*positions))
    return [
        plain(unpack(pack(engine.calculate(frame)[0].payload)))["quality"] for engine in ENGINES
    ]


@pytest.mark.parametrize(
    "positions",
    [
        EVERYTHING,
        (share(1, "AAPL", "100"),),
        (*EVERYTHING, listed(8, "unknown", "1")),
        (*EVERYTHING, share(9, "NEVER", "10")),
    ],
)
def test_all_engines_split_the_account_alike(positions):
    first, *others = qualities(*positions)
    for one in others:
        for whole in ("of_net_asset_value", "of_gross_value"):
            assert one[whole] == pytest.approx(first[whole])
    Quality.model_validate(first)
    assert sum(first["of_gross_value"].values()) == pytest.approx(1)


def test_what_cannot_be_modelled_is_in_no_other_part():
    found = qualities(*EVERYTHING, listed(8, "unknown", "1"))
    private = qualities(*EVERYTHING)
    for with_it, without in zip(found, private, strict=True):
        assert with_it["of_gross_value"]["unmodelled"] > without["of_gross_value"]["unmodelled"]
        assert without["of_gross_value"]["proxied"] > 0
