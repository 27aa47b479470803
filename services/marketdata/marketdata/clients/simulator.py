"""The simulated market as a provider: the one module that knows the simulator."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from marketdata.domain import BAR, History, Profile, Source
from simulator.market import DEFAULT_SEED, MODEL_VERSION, Market


class SimulatedMarket:
    """Prices of a model; everything made of them says `simulated`."""

    def __init__(self, seed: int | None = None) -> None:
        self._market = Market(DEFAULT_SEED if seed is None else seed)
        # Another seed is another history: it must never be taken for the same one.
        self.source = Source("simulated", f"{MODEL_VERSION}+seed.{self._market.seed}")

    async def profiles(self, symbols: Sequence[str]) -> Mapping[str, Profile]:
        """Return the profiles of the listed symbols."""
        listed = set(self._market.symbols())
        return {symbol: self._profile(symbol) for symbol in symbols if symbol in listed}

    async def bars(self, symbols: Sequence[str], start: date, end: date) -> Mapping[str, History]:
        """Return the listed symbols' bars; made in a thread, for it is a second's work."""
        return await asyncio.to_thread(self._histories, symbols, start, end)

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
