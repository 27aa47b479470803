"""How the risk engine fetches panels: what it has seen it does not ask for again."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from common.client import ServiceClient
from common.errors import Refused, Unavailable
from risk_engine.clients import PanelGone, Panels
from risk_engine.clients.columns import decode
from risk_engine.clients.panels import SYMBOLS_IN_ADDRESS
from tests.support.neighbours import Neighbours
from tests.support.risk_engine import AS_OF, SESSIONS, Marketdata, panel


@pytest.fixture
def neighbours() -> Neighbours:
    return Neighbours()


@pytest.fixture
async def client(neighbours: Neighbours) -> AsyncIterator[ServiceClient]:
    marketdata = ServiceClient(
        "http://marketdata", "token", transport=httpx.ASGITransport(neighbours.app)
    )
    yield marketdata
    await marketdata.close()


@pytest.fixture
def panels(client: ServiceClient) -> Panels:
    return Panels(client, megabytes=1)


async def test_a_panel_is_asked_only_for_the_symbols_it_was_not_asked_for(neighbours, panels):
    market = Marketdata({"A": 1.0, "B": 2.0, "C": 3.0})
    market.publish(neighbours)
    first = await panels.prices(AS_OF, 1, ["B", "A"])
    second = await panels.prices(AS_OF, 1, ["A", "C"])
    assert (first.symbols, second.symbols) == (("A", "B"), ("A", "C"))
    assert second.close[-1].tolist() == [1.0, 3.0]
    assert market.asked == [(1, ["A", "B"]), (1, ["C"])]


async def test_one_fetch_serves_all_who_ask_at_once(neighbours, panels):
    market = Marketdata({"A": 1.0})
    market.publish(neighbours)
    await asyncio.gather(*(panels.prices(AS_OF, 1, ["A"]) for _ in range(5)))
    assert market.asked == [(1, ["A"])]


async def test_a_new_symbol_costs_one_column_of_a_new_panel(neighbours, panels):
    market = Marketdata({"A": 1.0, "B": 2.0}, tells_all_versions=True)
    market.publish(neighbours)
    await panels.prices(AS_OF, 1, ["A", "B"])
    market.closes |= {"B": 2.5, "C": 3.0}
    market.versions |= {"B": 2, "C": 1}
    market.publish(neighbours, panel_version=2)
    market.asked.clear()

    prices = await panels.prices(AS_OF, 2, ["A", "B", "C"])
    assert prices.close[-1].tolist() == [1.0, 2.5, 3.0]
    # C is new; that answer tells that A is as it was and B is not.
    assert market.asked == [(2, ["C"]), (2, ["B"])]
    old = await panels.prices(AS_OF, 1, ["B"])
    assert old.close[-1].tolist() == [2.0], "an older panel keeps its own column"


async def test_columns_a_panel_tells_nothing_of_are_asked_for_again(neighbours, panels):
    market = Marketdata({"A": 1.0})
    market.publish(neighbours)
    await panels.prices(AS_OF, 1, ["A"])
    market.closes["A"] = 4.0
    market.versions["A"] = 2
    market.publish(neighbours, panel_version=2)
    prices = await panels.prices(AS_OF, 2, ["A"])
    assert prices.close[-1].tolist() == [4.0]


async def test_many_symbols_go_in_the_body(neighbours, panels):
    market = Marketdata({f"S{number}": float(number + 1) for number in range(700)})
    market.publish(neighbours)
    prices = await panels.prices(AS_OF, 1, list(market.closes))
    assert len(prices.symbols) == 700
    assert [len(asked) for _, asked in market.asked] == [500, 200]
    assert SYMBOLS_IN_ADDRESS < 200
    requests = [one for one in neighbours.requests if "panel" in one.url.path]
    assert {one.method for one in requests} == {"POST"}


async def test_memory_for_columns_is_bounded(neighbours, client):
    market = Marketdata({f"S{number:04}": 1.0 for number in range(3_000)})
    market.publish(neighbours)
    panels = Panels(client, megabytes=1)
    await panels.prices(AS_OF, 1, list(market.closes))
    kept = sum(column.close.nbytes * 3 for column in panels._columns.values())
    assert 2**19 < kept <= 2**20
    market.asked.clear()
    assert len((await panels.prices(AS_OF, 1, ["S0000"])).symbols) == 1
    assert market.asked == [(1, ["S0000"])]


async def test_missing_symbols_come_with_their_reason_and_are_not_asked_for_again(
    neighbours, panels
):
    market = Marketdata({"A": 1.0})
    market.publish(neighbours)
    for _ in range(2):
        prices = await panels.prices(AS_OF, 1, ["A", "NOPE"])
        assert prices.missing == {"NOPE": "not listed"}
    assert len(market.asked) == 1


async def test_no_symbols_still_say_what_the_sessions_are(neighbours, panels):
    Marketdata({"A": 1.0}).publish(neighbours)
    prices = await panels.prices(AS_OF, 1, [])
    assert (prices.sessions, prices.symbols) == (SESSIONS, ())
    assert prices.provider == "simulated"


@pytest.mark.parametrize(
    ("status", "error"), [(404, PanelGone), (410, PanelGone), (503, Unavailable), (422, Refused)]
)
async def test_trouble_is_told_apart(neighbours, panels, status, error):
    market = Marketdata({"A": 1.0})
    market.status = status
    market.publish(neighbours)
    with pytest.raises(error):
        await panels.prices(AS_OF, 1, ["A"])


def test_a_symbol_the_panel_says_nothing_of_is_missing():
    answer = decode(panel({"A": 1.0}), ["A", "B"])
    assert list(answer.columns) == ["A"]
    assert answer.missing == {"B": "unknown_symbol"}
