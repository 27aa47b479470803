"""The simulated market as the risk engine sees it, without services between."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from common import calendar
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import REFERENCE as WHOLE_REFERENCE
from marketdata.domain import TENORS, History, Profile, Snapshot
from risk_engine.domain import Benchmark, Dividend, Market, Prices, Rates, Security, Snapshots
from simulator.fundamentals import sector_weights
from simulator.market import Market as Truth

AS_OF = date(2025, 12, 31)
SESSIONS = 780
REFERENCE_SESSIONS = 2_600
REFERENCE = (
    *("DJP", "GLD", "HYG", "IEF", "IWM", "LQD", "MTUM", "QQQ", "QUAL", "SHY", "SPY"),
    *("TLT", "USMV", "VIX", "VNQ", "VTI", "VTV", "VUG"),
)
SAID = ("bid", "ask", "market_cap", "dividend_yield", "beta", "volume", "open_interest")


@cache
def provider(seed: int | None = None) -> SimulatedMarket:
    """The market of a seed; what it has drawn it keeps."""
    return SimulatedMarket(seed)


def simulated_market(
    symbols: Sequence[str], as_of: date = AS_OF, seed: int | None = None, *, whole: bool = False
) -> Market:
    """Everything a chunk is calculated from; contracts are named as `common.options` does.

    The reference has the factors' funds alone unless it is to be `whole`: with the sectors' funds
    and a cross-section, as marketdata has it.
    """
    source, wanted = provider(seed), tuple(sorted(set(symbols)))
    if not whole:
        return asyncio.run(_market(wanted, as_of, source, REFERENCE, ()))
    reference, shares = sorted(WHOLE_REFERENCE), sorted(source.cross_section)
    return asyncio.run(_market(wanted, as_of, source, reference, shares))


def true_market(seed: int | None = None) -> Truth:
    """What the prices are drawn from."""
    return provider(seed)._market


async def _market(
    symbols: Sequence[str],
    as_of: date,
    source: SimulatedMarket,
    reference: Sequence[str],
    shares: Sequence[str],
) -> Market:
    profiles = await source.profiles([*symbols, *reference, *shares])
    held = [symbol for symbol in symbols if symbol in profiles and " " not in symbol]
    first = calendar.session_back(as_of, SESSIONS - 1)
    long_ago = calendar.session_back(as_of, REFERENCE_SESSIONS - 1)
    curves = await source.curves(long_ago, as_of)
    benchmark = sector_weights(source._market, as_of)
    return Market(
        prices=_prices(await source.bars(held, first, as_of), symbols, profiles, first, as_of),
        reference=_prices(
            await source.bars(reference, long_ago, as_of), reference, profiles, long_ago, as_of
        ),
        snapshots=_snapshots(await source.snapshots([*symbols, *reference], as_of)),
        securities={
            symbol: Security(one.name, one.kind, one.sector, one.industry)
            for symbol, one in profiles.items()
            if one.kind != "option"
        },
        rates=Rates(
            sessions=tuple(curves["session"].tolist()),
            years=np.array(list(TENORS.values())),
            zero=np.array(curves["rates"]),
        ),
        benchmark=Benchmark("SP500", *benchmark),
        cross_section=_prices(
            await source.bars(shares, first, as_of), shares, profiles, first, as_of
        )
        if shares
        else None,
    )


def _prices(
    histories: Mapping[str, History],
    asked: Sequence[str],
    profiles: Mapping[str, Profile],
    first: date,
    as_of: date,
) -> Prices:
    sessions = tuple(calendar.sessions(first, as_of))
    rows = {session: row for row, session in enumerate(sessions)}
    symbols = tuple(sorted(histories))
    idle = {"split_ratio": 1.0, "dividend": 0.0}
    tables: dict[str, Any] = {
        name: np.full((len(sessions), len(symbols)), idle.get(name, np.nan))
        for name in ("open", "high", "low", "close", "volume", "split_ratio", "dividend")
    }
    for column, symbol in enumerate(symbols):
        history = histories[symbol]
        places = [rows[day] for day in history["session"].tolist()]
        for name, table in tables.items():
            table[places, column] = history[name]
    return Prices(
        as_of=as_of,
        panel_version=1,
        sessions=sessions,
        symbols=symbols,
        provider="simulated",
        missing={
            symbol: "no_price" if symbol in profiles else "unknown_symbol"
            for symbol in asked
            if symbol not in histories
        },
        close=tables["close"],
        split_ratio=tables["split_ratio"],
        dividend=tables["dividend"],
        open=tables["open"],
        high=tables["high"],
        low=tables["low"],
        volume=tables["volume"],
    )


def _snapshots(said: Mapping[str, Snapshot]) -> Snapshots:
    symbols = tuple(sorted(said))
    columns: dict[str, Any] = {
        name: np.array(
            [
                np.nan if (value := getattr(said[symbol], name)) is None else value
                for symbol in symbols
            ],
            dtype=np.float64,
        )
        for name in (*SAID, "underlying_price")
    }
    declared = {
        symbol: tuple(Dividend(one.ex_date, one.amount) for one in said[symbol].dividends)
        for symbol in symbols
        if said[symbol].dividends
    }
    return Snapshots(symbols, **columns, dividends=declared)
