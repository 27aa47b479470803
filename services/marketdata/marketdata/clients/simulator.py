"""The simulated market as a provider: the one module that knows the simulator."""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files

import numpy as np

from common.options import Contract
from marketdata.domain import (
    BAR,
    CURVE,
    TENORS,
    Benchmark,
    Curves,
    History,
    Profile,
    Snapshot,
    Source,
)
from simulator.desk import Desk
from simulator.fundamentals import fundamentals, last_quarter_end, sector_weights
from simulator.market import DEFAULT_SEED, MODEL_VERSION, Market
from simulator.options import Contract as Listed
from simulator.quotes import closing_quotes

INDEX = "SP500"
"""The benchmark's name, as clients know it."""


class SimulatedMarket:
    """Prices of a model; everything made of them says `simulated`.

    Its companies declare no dividends ahead: its options are priced by yields, and would contradict
    a schedule.

    What takes more than a moment is made in a thread.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._market = Market(DEFAULT_SEED if seed is None else seed)
        self._desk = Desk(self._market)
        self._listed = frozenset(self._market.symbols())
        # It takes a while, and is the same for a quarter: whoever asks meanwhile waits for it.
        self._weighing = asyncio.Lock()
        self._benchmark: Benchmark | None = None
        # Another seed is another history: it must never be taken for the same one.
        self.source = Source("simulated", f"{MODEL_VERSION}+seed.{self._market.seed}")

    @property
    def cross_section(self) -> frozenset[str]:
        """Return nine shares of each sector, from the largest to the smallest company."""
        return _cross_section()

    async def profiles(self, symbols: Sequence[str]) -> Mapping[str, Profile]:
        """Return the profiles of the listed symbols, and of the contracts on them."""
        return await asyncio.to_thread(self._profiles, symbols)

    async def bars(self, symbols: Sequence[str], start: date, end: date) -> Mapping[str, History]:
        """Return the listed symbols' bars."""
        return await asyncio.to_thread(self._histories, symbols, start, end)

    async def snapshots(self, symbols: Sequence[str], session: date) -> Mapping[str, Snapshot]:
        """Return what shares and contracts are quoted at, and what is said of companies."""
        return await asyncio.to_thread(self._snapshots, symbols, session)

    async def curves(self, start: date, end: date) -> Curves:
        """Return the true curves: their yields are those of zero bonds."""
        return await asyncio.to_thread(self._curves, start, end)

    async def benchmark(self, session: date) -> Benchmark | None:
        """Return the sector weights of the index at the last quarter's end."""
        sessions = self._market.scene(session).sessions
        if session not in sessions or (quarter_end := last_quarter_end(session)) not in sessions:
            return None
        async with self._weighing:
            if self._benchmark is None or self._benchmark.as_of != quarter_end:
                self._benchmark = await asyncio.to_thread(self._weigh, quarter_end)
            return self._benchmark

    async def chain(self, underlying: str, session: date) -> Mapping[Contract, Snapshot]:
        """Return the options listed on a security."""
        if not self._desk.quotes_on(underlying):
            return {}
        return await asyncio.to_thread(self._chain, underlying, session)

    def _profiles(self, symbols: Sequence[str]) -> dict[str, Profile]:
        found: dict[str, Profile] = {}
        for symbol in symbols:
            if symbol in self._listed:
                found[symbol] = self._profile(symbol)
            elif (contract := Contract.parse(symbol)) and self._desk.quotes_on(contract.underlying):
                found[symbol] = _profile_of(contract)
        return found

    def _profile(self, symbol: str) -> Profile:
        found = self._market.profile(symbol)
        return Profile(
            symbol=found.symbol,
            name=found.name,
            kind=found.kind,
            sector=found.sector,
            industry=found.industry,
            exchange=found.exchange,
            country=found.country,
        )

    def _histories(self, symbols: Sequence[str], start: date, end: date) -> dict[str, History]:
        bars = self._market.bars(symbols, start, end)
        sessions = np.array(bars.sessions, "datetime64[D]")
        histories: dict[str, History] = {}
        for column, symbol in enumerate(bars.symbols):
            traded = bars.traded[:, column]
            history = np.empty(np.count_nonzero(traded), BAR)
            history["session"] = sessions[traded]
            for name in ("open", "high", "low", "close", "volume", "split_ratio", "dividend"):
                history[name] = getattr(bars, name)[traded, column]
            if len(history):
                histories[symbol] = history
        return histories

    def _snapshots(self, symbols: Sequence[str], session: date) -> dict[str, Snapshot]:
        if session not in self._market.scene(session).sessions:
            return {}
        shares = [symbol for symbol in symbols if symbol in self._listed]
        said = fundamentals(self._market, shares, session)
        quotes = closing_quotes(self._market, shares, session)
        snapshots: dict[str, Snapshot] = {}
        for symbol in shares:
            bid, ask = quotes.get(symbol, (None, None))
            snapshots[symbol] = Snapshot(
                bid=bid,
                ask=ask,
                market_cap=said[symbol].market_cap,
                dividend_yield=said[symbol].dividend_yield,
                beta=said[symbol].beta,
            )
        contracts = [contract for symbol in symbols if (contract := Contract.parse(symbol))]
        quoted = self._quoted(contracts, session)
        return snapshots | {contract.symbol: snapshot for contract, snapshot in quoted.items()}

    def _chain(self, underlying: str, session: date) -> dict[Contract, Snapshot]:
        chain = self._desk.chain(underlying, session)
        return self._quoted(
            [
                Contract(one.underlying, one.expiry, one.right, Decimal(str(one.strike)))
                for one in chain
            ],
            session,
        )

    def _quoted(self, contracts: Iterable[Contract], session: date) -> dict[Contract, Snapshot]:
        by_terms = {
            Listed(one.underlying, one.expiry, float(one.strike), one.right): one
            for one in contracts
        }
        quotes = self._desk.quotes(by_terms, session)
        names = ("bid", "ask", "volume", "open_interest", "underlying_price")
        rows = zip(*(getattr(quotes, name).tolist() for name in names), strict=True)
        return {
            by_terms[contract]: Snapshot(**dict(zip(names, row, strict=True)))
            for contract, row in zip(quotes.contracts, rows, strict=True)
        }

    def _weigh(self, quarter_end: date) -> Benchmark:
        as_of, weights = sector_weights(self._market, quarter_end)
        return Benchmark(INDEX, as_of, weights)

    def _curves(self, start: date, end: date) -> Curves:
        scene = self._market.scene(end)
        sessions = np.array(scene.sessions, "datetime64[D]")
        inside = (sessions >= np.datetime64(start)) & (sessions <= np.datetime64(end))
        curves = np.empty(np.count_nonzero(inside), CURVE)
        curves["session"] = sessions[inside]
        curves["rates"] = scene.yields(np.array(list(TENORS.values())))[inside]
        return curves


@cache
def _cross_section() -> frozenset[str]:
    text = files("marketdata.clients").joinpath("simulated_cross_section.json").read_text("utf-8")
    return frozenset(symbol for some in json.loads(text)["sectors"].values() for symbol in some)


def _profile_of(contract: Contract) -> Profile:
    name = (
        f"{contract.underlying} {contract.expiry} {contract.strike.normalize():f} {contract.right}"
    )
    return Profile(
        symbol=contract.symbol,
        name=name,
        kind="option",
        sector=None,
        industry=None,
        exchange=None,
        country=None,
    )
