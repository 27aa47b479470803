"""How an overview says shares of net asset value: without a sign that means nothing."""

import math
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

from risk_engine.engine.payload import to_payload
from risk_engine.engine.results import pack
from risk_engine.repository import Known, Result
from risk_engine.schemas import overview
from tests.support.simulated import AS_OF
from tests.unit.risk_engine.stress_books import account, frame_of, share

PORTFOLIO = UUID(int=1)


@cache
def net_short_by_little():
    """The overview of an account that is short by less than a twentieth of a percent."""
    frame = frame_of(account(share(1, "SPY", "0.01"), share(2, "SPY", "-0.02")))
    payload = pack(to_payload(frame.valuations[0]))
    result = Result(AS_OF, 1, 3, "ok", "m-1", "hash", datetime.now(UTC), payload)
    return overview(PORTFOLIO, Known(PORTFOLIO, "A book", 3, {"valuation": result}, {}))


def test_a_share_that_rounds_to_nothing_has_no_sign():
    exposures = net_short_by_little().exposures
    assert exposures.net_exposure < 0
    assert exposures.net_percentage == 0
    assert math.copysign(1, exposures.net_percentage) == 1
