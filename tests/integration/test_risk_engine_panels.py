"""How the risk engine fetches panels: what it has seen it does not ask for again."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.client import ServiceClient
from common.errors import Refused, Unavailable
from risk_engine.clients import PanelGone, Panels
from risk_engine.clients.columns import decode
from risk_engine.clients.earlier import earlier_than
from risk_engine.clients.memory import Memory
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
    first = (await panels.market(AS_OF, 1, ["B", "A"])).prices
    second = (await panels.market(AS_OF, 1, ["A", "C"])).prices
    assert (first.symbols, second.symbols) == (("A", "B"), ("A", "C"))
    assert second.close[-1].tolist() == [1.0, 3.0]
    assert market.asked == [(1, ["A", "B"]), (1, ["C"])]


async def test_one_fetch_serves_all_who_ask_at_once(neighbours, panels):
    market = Marketdata({"A": 1.0})
    market.publish(neighbours)
    await asyncio.gather(*(panels.market(AS_OF, 1, ["A"]) for _ in range(5)))
    assert market.asked == [(1, ["A"])]


async def test_a_new_symbol_costs_one_column_of_a_new_panel(neighbours, panels):
    market = Marketdata({"A": 1.0, "B": 2.0}, tells_all_versions=True)
    market.publish(neighbours)
    await panels.market(AS_OF, 1, ["A", "B"])
    market.closes |= {"B": 2.5, "C": 3.0}
    market.versions |= {"B": 2, "C": 1}
    market.publish(neighbours, panel_version=2)
    market.asked.clear()

    prices = (await panels.market(AS_OF, 2, ["A", "B", "C"])).prices
    assert prices.close[-1].tolist() == [1.0, 2.5, 3.0]
    # C is new; that answer tells that A is as it was and B is not.
    assert market.asked == [(2, ["C"]), (2, ["B"])]
    old = (await panels.market(AS_OF, 1, ["B"])).prices
    assert old.close[-1].tolist() == [2.0], "an older panel keeps its own column"


async def test_columns_a_panel_tells_nothing_of_are_asked_for_again(neighbours, panels):
    market = Marketdata({"A": 1.0})
    market.publish(neighbours)
    await panels.market(AS_OF, 1, ["A"])
    market.closes["A"] = 4.0
    market.versions["A"] = 2
    market.publish(neighbours, panel_version=2)
    prices = (await panels.market(AS_OF, 2, ["A"])).prices
    assert prices.close[-1].tolist() == [4.0]


async def test_many_symbols_go_in_the_body(neighbours, panels):
    market = Marketdata({f"S{number}": float(number + 1) for number in range(700)})
    market.publish(neighbours)
    prices = (await panels.market(AS_OF, 1, list(market.closes))).prices
    assert len(prices.symbols) == 700
    assert [len(asked) for _, asked in market.asked] == [500, 200]
    assert SYMBOLS_IN_ADDRESS < 200
    address = f"/internal/panel/{AS_OF}/1"
    requests = [one for one in neighbours.requests if one.url.path == address]
    assert {one.method for one in requests} == {"POST"}


async def test_memory_for_columns_is_bounded(neighbours, client):
    market = Marketdata({f"S{number:04}": 1.0 for number in range(3_000)})
    market.publish(neighbours)
    panels = Panels(client, megabytes=1)
    await panels.market(AS_OF, 1, list(market.closes))
    assert 2**19 < panels._memory.nbytes <= 2**20
    market.asked.clear()
    assert len((await panels.market(AS_OF, 1, ["S0000"])).prices.symbols) == 1
    assert market.asked == [(1, ["S0000"])]


async def test_missing_symbols_come_with_their_reason_and_are_not_asked_for_again(
    neighbours, panels
):
    market = Marketdata({"A": 1.0})
    market.publish(neighbours)
    for _ in range(2):
        prices = (await panels.market(AS_OF, 1, ["A", "NOPE"])).prices
        assert prices.missing == {"NOPE": "not listed"}
    assert len(market.asked) == 1


async def test_no_symbols_still_say_what_the_sessions_are(neighbours, panels):
    Marketdata({"A": 1.0}).publish(neighbours)
    prices = (await panels.market(AS_OF, 1, [])).prices
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
        await panels.market(AS_OF, 1, ["A"])


async def test_what_is_beside_a_panel_is_fetched_once_and_for_a_new_panel_only_if_it_differs(
    neighbours, panels
):
    market = Marketdata({"A": 1.0}, tells_all_versions=True)
    market.publish(neighbours)
    first = Beside(neighbours, 1, tag='"one"')
    for _ in range(2):
        before = await panels.market(AS_OF, 1, ["A"])
    assert first.answered == [200, 200]

    market.publish(neighbours, panel_version=2)
    second = Beside(neighbours, 2, tag='"one"')
    after = await panels.market(AS_OF, 2, ["A"])
    assert second.answered == [304, 304]
    assert after.reference.close is before.reference.close
    assert after.rates is before.rates
    assert (before.reference.panel_version, after.reference.panel_version) == (1, 2)

    market.publish(neighbours, panel_version=3)
    third = Beside(neighbours, 3, tag='"other"', close=5.0)
    assert (await panels.market(AS_OF, 3, ["A"])).reference.close[-1, 0] == 5.0
    assert third.answered == [200, 200]
    assert (await panels.market(AS_OF, 1, ["A"])).reference.close[-1, 0] == 3.0
    assert first.answered == [200, 200], "an older panel keeps its own"


async def test_a_marketdata_that_does_not_know_what_is_beside_a_panel_is_asked_again(
    neighbours, panels
):
    """While versions change, a replica of before answers: without them, and no error."""
    Marketdata({"A": 1.0}).publish(neighbours)
    market = await panels.market(AS_OF, 1, ["A"])
    assert (market.reference.sessions, market.reference.symbols) == ((), ())
    assert (market.rates.sessions, market.benchmark) == ((), None)
    assert (market.snapshots.symbols, market.securities) == ((), {})

    Beside(neighbours, 1, tag='"one"')
    market = await panels.market(AS_OF, 1, ["A"])
    assert market.reference.symbols == ("SPY",)
    assert market.rates.zero.tolist() == [[0.02, 0.04]]


@pytest.mark.parametrize(("status", "error"), [(503, Unavailable), (422, Refused)])
async def test_trouble_with_what_is_beside_a_panel_is_told_apart_too(
    neighbours, panels, status, error
):
    Marketdata({"A": 1.0}).publish(neighbours)
    beside = Beside(neighbours, 1, tag='"one"')
    beside.status = status
    with pytest.raises(error):
        await panels.market(AS_OF, 1, ["A"])


async def test_what_is_beside_a_panel_takes_its_part_of_the_memory(neighbours, client):
    market = Marketdata({f"S{number:04}": 1.0 for number in range(3_000)})
    market.publish(neighbours)
    beside = Beside(neighbours, 1, tag='"one"')
    panels = Panels(client, megabytes=1)
    await panels.market(AS_OF, 1, ["S0000"])
    before = panels._memory.nbytes
    assert before >= 7 * len(SESSIONS) * 8 * 2
    await panels.market(AS_OF, 1, list(market.closes))
    await panels.market(AS_OF, 1, ["S0000"])
    # Columns and it crowd each other out; it comes again from marketdata.
    assert panels._memory.nbytes <= 2**20
    assert beside.answered == [200, 200, 200, 200]


def test_a_memory_forgets_what_was_not_used_for_longest():
    memory: Memory[str, np.ndarray] = Memory(megabytes=1)
    half = np.zeros(2**16)
    memory.keep("first", half)
    memory.keep("second", half)
    memory.keep("second", np.ones(2**16))
    assert memory.recall("first") is half
    memory.keep("third", np.zeros(2**15))
    assert (list(memory), memory.nbytes) == (["first", "third"], 2**19 + 2**18)
    assert memory.recall("second") is None


def test_a_symbol_the_panel_says_nothing_of_is_missing():
    answer = decode(panel({"A": 1.0}), ["A", "B"])
    assert list(answer.columns) == ["A"]
    assert answer.missing == {"B": "unknown_symbol"}


class Beside:
    """A reference of SPY and two rates, as marketdata serves them beside a panel."""

    def __init__(
        self, neighbours: Neighbours, panel_version: int, *, tag: str, close: float = 3.0
    ) -> None:
        self.answered: list[int] = []
        self.status = 200
        self._tag = tag
        about = {"benchmark": None, "years": {"1Y": 1.0, "10Y": 10.0}}
        reference = panel({"SPY": close}, about=about)
        rates = stream({"session": [AS_OF], "1Y": [0.02], "10Y": [0.04]}, about)
        for name, content in (("reference", reference), ("rates", rates)):
            address = f"GET /internal/panel/{AS_OF}/{panel_version}/{name}"
            neighbours.answers[address] = partial(self._answer, content)

    def _answer(self, content: bytes, request: Request) -> Response:
        known = request.headers.get("if-none-match") == self._tag
        self.answered.append(304 if known else self.status)
        if self.status != 200:
            return JSONResponse({"detail": "no"}, self.status)
        if known:
            return Response(status_code=304, headers={"ETag": self._tag})
        return Response(content, headers={"ETag": self._tag})


def stream(columns: dict[str, list[Any]], about: dict[str, Any]) -> bytes:
    """Return columns as an Arrow IPC stream that says this of itself."""
    table = pa.table(columns).replace_schema_metadata({b"sigmasight": json.dumps(about)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


async def test_what_came_before_a_panel_is_laid_out_beside_its_symbols(neighbours, panels):
    Marketdata({"A": 1.0, "B": 2.0}).publish(neighbours)
    market = await panels.market(AS_OF, 1, ["A", "B"])
    opened, split, expiry = date(2024, 3, 1), date(2024, 5, 6), date(2024, 6, 21)
    option = f"B {expiry} C 20"
    asked = earlier_than(market.prices, [(opened, ["B", option, "ZZZ"]), (SESSIONS[2], ["A"])])
    assert asked is not None
    assert (asked.symbols, asked.since) == (("B",), opened)
    # The session of the expiry and three before, one of them before a holiday.
    assert [day.day for day in asked.sessions] == [17, 18, 20, 21]
    assert earlier_than(market.prices, [(SESSIONS[0], ["A"])]) is None

    def answer(request: Request) -> Response:
        assert json.loads(request._body) == {
            "symbols": ["B"],
            "since": "2024-03-01",
            "sessions": ["2024-06-17", "2024-06-18", "2024-06-20", "2024-06-21"],
        }
        metadata = {"loaded_from": {"B": "2024-01-02"}}
        cells = {"open": 9.0, "high": 9.0, "low": 9.0, "close": 9.0, "dividend": 0.25}
        table = pa.table(
            {
                "session": pa.array([split, expiry], pa.date32()),
                "symbol": pa.array(["B", "B"], pa.string()),
                **{name: pa.array([value, value]) for name, value in cells.items()},
                "volume": pa.array([1, 1], pa.int64()),
                "split_ratio": pa.array([2.0, 1.0]),
            }
        ).replace_schema_metadata({b"sigmasight": json.dumps(metadata)})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return Response(sink.getvalue().to_pybytes())

    neighbours.answers[f"POST /internal/panel/{AS_OF}/1/earlier"] = answer
    found = await panels.earlier(market, asked)
    assert found is not None
    assert found.sessions == (split, *asked.sessions)
    np.testing.assert_array_equal(found.split_ratio, [[1, 2], *[[1, 1]] * 4])
    np.testing.assert_array_equal(found.dividend, [[0, 0.25], *[[0, 0]] * 3, [0, 0.25]])
    np.testing.assert_array_equal(found.close[:, 1], [9, *[np.nan] * 3, 9])
    assert found.loaded_from == {"B": date(2024, 1, 2)}
    ledger = replace(market, earlier=found).ledger
    assert (ledger.early, ledger.first_session) == (5, SESSIONS[0])


async def test_a_marketdata_of_before_tells_nothing_of_what_came_before(neighbours, panels):
    Marketdata({"A": 1.0}).publish(neighbours)
    market = await panels.market(AS_OF, 1, ["A"])
    asked = earlier_than(market.prices, [(date(2024, 3, 1), ["A"])])
    assert asked is not None
    assert await panels.earlier(market, asked) is None
