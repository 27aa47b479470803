"""Marketdata's panels: immutable, so what was fetched once is never fetched again while it is kept.

Columns are kept by (edition, symbol, version of the column): a new panel that shows a symbol as the
one before did costs no new column of it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import structlog

from common.client import ServiceClient, unexpected
from risk_engine.clients.columns import Answer, Column, Edition, EditionKey, assemble, decode
from risk_engine.domain import Prices

log = structlog.get_logger()

PANELS_KEPT = 16
SYMBOLS_IN_REQUEST = 500
SYMBOLS_IN_ADDRESS = 100
"""Above this the symbols go in the body."""

_ColumnKey = tuple[EditionKey, str, int]


class PanelGone(Exception):
    """Marketdata has no panel under this session and version, or no longer."""


@dataclass
class _Panel:
    """What is known of one panel so far."""

    edition: Edition
    versions: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def key(self, symbol: str) -> _ColumnKey | None:
        version = self.versions.get(symbol)
        return None if version is None else (self.edition.key, symbol, version)


class Panels:
    """Prices by session and panel version, with a memory of columns."""

    def __init__(self, marketdata: ServiceClient, *, megabytes: int) -> None:
        self._marketdata = marketdata
        self._bytes = megabytes * 2**20
        self._held = 0
        self._columns: OrderedDict[_ColumnKey, Column] = OrderedDict()
        self._panels: OrderedDict[tuple[date, int], _Panel] = OrderedDict()
        # One fetch at a time: whoever waits finds the columns fetched meanwhile.
        self._fetching = asyncio.Lock()

    async def prices(self, as_of: date, panel_version: int, symbols: Sequence[str]) -> Prices:
        """Return a panel's prices of some symbols; those it lacks are named in `missing`.

        Raises:
            PanelGone: marketdata knows no such panel.
            Unavailable: marketdata does not answer.
            Refused: it will not.
        """
        wanted = sorted(set(symbols))
        async with self._fetching:
            panel, found = await self._find(as_of, panel_version, wanted)
        missing = {symbol: panel.missing[symbol] for symbol in wanted if symbol in panel.missing}
        # Stacking thousands of columns takes longer than the event loop can spare.
        return await asyncio.to_thread(assemble, panel.edition, panel_version, found, missing)

    async def _find(
        self, as_of: date, panel_version: int, wanted: Sequence[str]
    ) -> tuple[_Panel, Mapping[str, Column]]:
        found: dict[str, Column] = {}
        panel = self._panels.get((as_of, panel_version))
        if panel is None:
            # Columns of the session are kept for some symbols: the panel may show the same ones,
            # and says so by their versions when asked for the others.
            kept = {symbol for (edition, symbol, _) in self._columns if edition[0] == as_of}
            new = [symbol for symbol in wanted if symbol not in kept]
            panel = await self._ask(as_of, panel_version, new, found)
        lacking = self._recall(panel, wanted, found)
        if lacking:
            await self._ask(as_of, panel_version, lacking, found)
        self._panels.move_to_end((as_of, panel_version))
        self._forget_oldest()
        return panel, {symbol: found[symbol] for symbol in wanted if symbol in found}

    def _recall(
        self, panel: _Panel, wanted: Sequence[str], found: dict[str, Column]
    ) -> Sequence[str]:
        """Add what is kept to `found`; return the symbols still to be asked for."""
        lacking = []
        for symbol in wanted:
            if symbol in found:
                continue
            key = panel.key(symbol)
            if key is not None and key in self._columns:
                self._columns.move_to_end(key)
                found[symbol] = self._columns[key]
            elif symbol not in panel.missing:
                lacking.append(symbol)
        return lacking

    async def _ask(
        self, as_of: date, panel_version: int, symbols: Sequence[str], found: dict[str, Column]
    ) -> _Panel:
        """Fetch columns into `found`; without symbols, only what the panel says of itself."""
        for start in range(0, max(len(symbols), 1), SYMBOLS_IN_REQUEST):
            asked = symbols[start : start + SYMBOLS_IN_REQUEST]
            content = await self._fetch(as_of, panel_version, asked)
            self._keep(as_of, panel_version, await asyncio.to_thread(decode, content, asked), found)
        log.info(
            "panel_fetched", as_of=as_of.isoformat(), version=panel_version, symbols=len(symbols)
        )
        return self._panels[as_of, panel_version]

    async def _fetch(self, as_of: date, panel_version: int, symbols: Sequence[str]) -> bytes:
        path = f"/internal/panel/{as_of.isoformat()}/{panel_version}"
        if 0 < len(symbols) <= SYMBOLS_IN_ADDRESS:
            answer = await self._marketdata.get(path, params={"symbols": ",".join(symbols)})
        else:
            answer = await self._marketdata.post(path, json={"symbols": list(symbols)})
        if answer.status_code in {404, 410}:
            raise PanelGone(f"Prices of {as_of} are no longer kept as version {panel_version}.")
        if answer.status_code != 200:
            raise unexpected(answer, "marketdata", "a panel")
        return answer.content

    def _keep(
        self, as_of: date, panel_version: int, answer: Answer, found: dict[str, Column]
    ) -> None:
        panel = self._panels.setdefault((as_of, panel_version), _Panel(answer.edition))
        panel.versions.update(answer.versions)
        panel.missing.update(answer.missing)
        for symbol, column in answer.columns.items():
            found[symbol] = column
            key = panel.key(symbol)
            if key is not None and key not in self._columns:
                self._columns[key] = column
                self._held += _size(column)

    def _forget_oldest(self) -> None:
        while self._held > self._bytes:
            _, column = self._columns.popitem(last=False)
            self._held -= _size(column)
        while len(self._panels) > PANELS_KEPT:
            self._panels.popitem(last=False)


def _size(column: Column) -> int:
    return column.close.nbytes + column.split_ratio.nbytes + column.dividend.nbytes
