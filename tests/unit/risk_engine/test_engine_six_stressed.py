"""The six positions of `six_positions` in a market that falls by 10 %, worked out on paper.

The market's log return is ln .9 = -.1053605; a position's is its beta times that, and the rule for
volatility gives v = -4 x -.10 = +.40, which an option of 146 days feels by sqrt(30/146) = .4532984.
    AAPL   beta 1.2    r = e^-.1264326 - 1 = -.1187665     80,000 r = -9,501.32
    XOM    beta  .8    r = e^-.0842884 - 1 = -.0808339    -30,000 r = +2,425.02
    fund   beta 1.43   r = e^-.1506655 - 1 = -.1398647     50,000 r = -6,993.23
The call on XOM: spot 91.9166119, volatility .25 + .25 x .40 x .4532984 = .2953298;
    x root of .4 = .1867830; d1 = (-.0842884 + (.05 + .0436099) x .4) / .1867830 = -.2507962;
    d2 = -.4375792; N(d1) = .4009858; N(d2) = .3308457
    price 91.9166119 x .4009858 - 98.0198673 x .3308457 = 4.4278103
    500 x (4.4278103 - 7.2786850) = -1,425.44
The put on RUT: spot 2,000 x e^(1.1 x -.1053605) = 1,781.1346648, volatility .20 + .08 x .4532984 =
    .2362639; x root .1494264; d1 = (-.0646033 + (.04 + .0279103) x .4) / .1494264 = -.2505525;
    d2 = -.3999788; N(-d1) = .5989199; N(-d2) = .6554140
    price 1,862.3774792 x .6554140 - 1,781.1346648 x .9960080 x .5989199 = 158.1296450
    -100 x (158.1296450 - 45.7808640) = -11,234.88
KO is sold and feels nothing. Together -26,729.85, of NAV 305,761.26 -8.742065 %; without the fund,
which only stands for listed ones, -19,736.62.
"""

from dataclasses import replace

import numpy as np
import pytest

from risk_engine.engine import stress
from risk_engine.engine.results import EngineResult
from risk_engine.schemas.base import plain
from tests.unit.risk_engine.exposed import six_frame
from tests.unit.risk_engine.six_positions import NAV, RATE, SIX_POSITIONS, YEARS

BY_HAND = {
    "AAPL": -9_501.32,
    "XOM": 2_425.02,
    "EVERGREEN_FUND": -6_993.23,
    "XOM260604C00100000": -1_425.44,
    "RUT260604P01900000": -11_234.88,
}


@pytest.fixture(scope="module")
def payload():
    frame = six_frame()
    told = {line.underlying: line.contract for line in SIX_POSITIONS if line.contract}
    listed = [told[one.underlying] for one in frame.contracts.contracts]
    count = len(listed)
    terms = replace(
        frame.contracts.terms,
        years=np.full(count, YEARS),
        volatility=np.array([one.volatility for one in listed]),
        rate=np.full(count, RATE),
        dividend_yield=np.array([one.dividend_yield for one in listed]),
    )
    (answer,) = stress.calculate(replace(frame, contracts=replace(frame.contracts, terms=terms)))
    assert isinstance(answer, EngineResult)
    return plain(answer.payload)


@pytest.fixture(scope="module")
def falls(payload):
    (found,) = [one for one in payload["scenarios"] if one["id"] == "market_down_10"]
    return found


def test_each_position_loses_what_it_loses_on_paper(payload):
    place = [one["id"] for one in payload["scenarios"]].index("market_down_10")
    found = {one["symbol"]: one["direct"][place] for one in payload["positions"]}
    assert found == pytest.approx(BY_HAND, abs=0.006)


def test_the_account_loses_their_sum(falls):
    assert falls["direct"] == pytest.approx(-26_729.85, abs=0.006)
    assert falls["direct"] == pytest.approx(sum(BY_HAND.values()), abs=0.02)
    assert falls["direct_percentage"] == pytest.approx(100 * -26_729.85 / NAV, abs=1e-6)
    assert falls["direct_without_proxies"] == pytest.approx(-19_736.62, abs=0.006)


def test_volatility_answers_by_the_rule(falls):
    assert falls["direct_volatility_shock"] == pytest.approx(0.4)


def test_what_others_would_do_is_not_known_from_a_month_of_prices(falls):
    assert falls["correlated"] is None
