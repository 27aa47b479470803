"""Chains of a provider that is slow, or away."""

import asyncio
from datetime import date
from decimal import Decimal

import pytest

from common.errors import Unavailable
from common.options import Contract
from marketdata.clients import chains as module
from marketdata.clients.chains import KEPT, Chains
from marketdata.domain import Snapshot

DAY = date(2026, 1, 12)


class Slow:
    """Answers when it may, and counts who asks."""

    def __init__(self):
        self.asked: list[str] = []
        self.may = asyncio.Event()
        self.trouble: Exception | None = None

    async def chain(self, underlying, session):
        self.asked.append(underlying)
        await self.may.wait()
        if self.trouble:
            raise self.trouble
        if underlying.startswith("NONE"):
            return {}
        return {Contract(underlying, session, "call", Decimal(1)): Snapshot(ask=1.0)}


@pytest.fixture
async def provider():
    return Slow()


async def test_what_is_kept_waits_for_nobody(provider):
    chains = Chains(provider)
    provider.may.set()
    known = await chains.of("AAPL", DAY)
    provider.may.clear()
    slow = [asyncio.create_task(chains.of(symbol, DAY)) for symbol in ("A", "B", "C")]
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        assert await chains.of("AAPL", DAY) is known
    assert len(provider.asked) <= 3
    await chains.close()
    ended = await asyncio.gather(*slow, return_exceptions=True)
    assert all(isinstance(end, BaseException) for end in ended)


async def test_many_who_want_the_same_ask_once(provider):
    chains = Chains(provider)
    waiting = [asyncio.create_task(chains.of("AAPL", DAY)) for _ in range(20)]
    await asyncio.sleep(0.01)
    provider.may.set()
    answers = await asyncio.gather(*waiting)
    assert provider.asked == ["AAPL"]
    assert all(answer is answers[0] for answer in answers)


async def test_an_answer_that_comes_too_late_is_there_for_the_next(provider, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    chains = Chains(provider)
    with pytest.raises(Unavailable, match="did not come in time"):
        await chains.of("AAPL", DAY)
    provider.may.set()
    await asyncio.sleep(0.01)
    assert await chains.of("AAPL", DAY)
    assert provider.asked == ["AAPL"]


async def test_nothing_and_trouble_are_not_kept(provider):
    chains = Chains(provider)
    provider.may.set()
    assert [await chains.of("NONE", DAY) for _ in range(2)] == [{}, {}]
    provider.trouble = Unavailable("429")
    with pytest.raises(Unavailable):
        await chains.of("AAPL", DAY)
    provider.trouble = None
    assert await chains.of("AAPL", DAY)
    assert provider.asked == ["NONE", "NONE", "AAPL", "AAPL"]


async def test_the_oldest_is_forgotten(provider):
    chains = Chains(provider)
    provider.may.set()
    for number in range(KEPT + 1):
        await chains.of(f"S{number}", DAY)
    await chains.of("S1", DAY)
    await chains.of("S0", DAY)
    assert provider.asked[-2:] == [f"S{KEPT}", "S0"]
