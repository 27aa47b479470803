"""What came of asking a provider, counted by symbol."""

from datetime import date

import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.errors import Unavailable
from common.metrics import Metrics
from marketdata.clients.measured import MeasuredProvider
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import Source

DAY = date(2026, 1, 5)


class Broken:
    source = Source("broken", "1")
    cross_section = frozenset({"AAPL"})

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def profiles(self, symbols):
        raise self.error

    async def bars(self, symbols, start, end):
        raise self.error

    async def snapshots(self, symbols, session):
        raise self.error

    async def curves(self, start, end):
        raise self.error

    async def benchmark(self, session):
        raise self.error

    async def chain(self, underlying, session):
        raise self.error


def counted(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (one.labels["provider"], one.labels["operation"], one.labels["outcome"]): one.value
        for family in text_string_to_metric_families(metrics.exposition().decode())
        for one in family.samples
        if one.name == "sigmasight_provider_symbols_total"
    }


async def test_symbols_are_counted_as_known_or_unknown_and_answers_pass_unchanged():
    metrics, market = Metrics("marketdata"), SimulatedMarket()
    measured = MeasuredProvider(market, metrics)
    asked = ["AAPL", "MSFT", "NOSUCH"]
    assert measured.source == market.source
    assert set(await measured.profiles(asked)) == {"AAPL", "MSFT"}
    assert set(await measured.bars(asked[:1], DAY, DAY)) == {"AAPL"}
    assert set(await measured.snapshots(asked, DAY)) == {"AAPL", "MSFT"}
    assert len(await measured.curves(DAY, DAY)) == 1
    assert await measured.benchmark(DAY) == await market.benchmark(DAY)
    assert await measured.chain("AAPL", DAY)
    assert not await measured.chain("SPAXX", DAY)
    assert counted(metrics) == {
        ("simulated", "profiles", "ok"): 2,
        ("simulated", "profiles", "unknown"): 1,
        ("simulated", "bars", "ok"): 1,
        ("simulated", "snapshots", "ok"): 2,
        ("simulated", "snapshots", "unknown"): 1,
        ("simulated", "chain", "ok"): 1,
        ("simulated", "chain", "unknown"): 1,
    }


@pytest.mark.parametrize(
    ("error", "outcome"), [(Unavailable("429"), "unavailable"), (KeyError("bug"), "failed")]
)
async def test_a_request_that_fails_is_counted_for_every_symbol_and_raised(error, outcome):
    metrics = Metrics("marketdata")
    measured = MeasuredProvider(Broken(error), metrics)
    with pytest.raises(type(error)):
        await measured.bars(["AAPL", "MSFT"], DAY, DAY)
    assert counted(metrics) == {("broken", "bars", outcome): 2}
    with pytest.raises(type(error)):
        await measured.curves(DAY, DAY)
    text = metrics.exposition().decode()
    assert f'sigmasight_provider_seconds_count{{operation="bars",outcome="{outcome}"' in text
