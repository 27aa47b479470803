"""Marketdata's panels: immutable, so what was fetched once is never fetched again while it is kept.

Columns are kept by (edition, symbol, version of the column): a new panel that shows a symbol as the
one before did costs no new column of it. The reference and the rates are kept by their tags.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, NamedTuple, TypeVar

import structlog

from common.client import ServiceClient, unexpected
from risk_engine.clients.asides import (
    Curves,
    Reference,
    decode_rates,
    decode_reference,
    no_rates,
    no_reference,
)
from risk_engine.clients.columns import (
    Answer,
    Column,
    Edition,
    EditionKey,
    decode,
    prices_of,
    snapshots_of,
)
from risk_engine.clients.earlier import Earlier, decode_earlier
from risk_engine.clients.memory import Memory
from risk_engine.domain import Market, Prices

log = structlog.get_logger()

PANELS_KEPT = 16
SYMBOLS_IN_REQUEST = 500
SYMBOLS_IN_ADDRESS = 100
"""Above this the symbols go in the body."""

NO_TAG = ""

Aside = Literal["reference", "rates"]
A = TypeVar("A", Reference, Curves)


class PanelGone(Exception):
    """Marketdata has no panel under this session and version, or no longer."""


class _ColumnKey(NamedTuple):
    edition: EditionKey
    symbol: str
    version: int
    """Of the column; below 0 what one panel shows, minus its version: of an option no column
    version is told."""


class _AsideKey(NamedTuple):
    aside: Aside
    tag: str


@dataclass
class _Panel:
    """What is known of one panel so far."""

    number: int
    edition: Edition
    versions: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    """What has no column in it: nothing more can be learned of it."""
    tags: dict[Aside, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return _address(self.edition.as_of, self.number)

    def key(self, symbol: str) -> _ColumnKey:
        return _ColumnKey(self.edition.key, symbol, self.versions.get(symbol, -self.number))


class Panels:
    """Markets by session and panel version, with a memory of columns."""

    def __init__(self, marketdata: ServiceClient, *, megabytes: int) -> None:
        self._marketdata = marketdata
        self._memory: Memory[_ColumnKey | _AsideKey, Column | Reference | Curves] = Memory(
            megabytes=megabytes
        )
        self._panels: OrderedDict[tuple[date, int], _Panel] = OrderedDict()
        # One fetch at a time: whoever waits finds the columns fetched meanwhile.
        self._fetching = asyncio.Lock()

    async def market(self, as_of: date, panel_version: int, symbols: Sequence[str]) -> Market:
        """Return a panel's market of some symbols, options by their contracts' names.

        Symbols it has no price of are named in `prices.missing`. A panel from before there were
        snapshots, rates or a reference has empty ones, as has a marketdata that does not know them.

        Raises:
            PanelGone: marketdata knows no such panel.
            Unavailable: marketdata does not answer.
            Refused: it will not.
        """
        wanted = sorted(set(symbols))
        async with self._fetching:
            panel, found = await self._find(as_of, panel_version, wanted)
            reference = await self._beside(panel, "reference", Reference, decode_reference)
            curves = await self._beside(panel, "rates", Curves, decode_rates)
        missing = {symbol: panel.missing[symbol] for symbol in wanted if symbol in panel.missing}
        # Stacking thousands of columns takes longer than the event loop can spare.
        return await asyncio.to_thread(
            _assemble,
            panel,
            found,
            missing,
            reference or no_reference(panel.edition),
            curves or no_rates(),
        )

    async def earlier(self, market: Market, asked: Earlier) -> Prices | None:
        """Return what acted on shares before a market's panel; None where it is not served.

        It is not kept: only chunks with books older than the panel ask, a few rows each.
        """
        prices = market.prices
        answer = await self._marketdata.post(
            f"{_address(prices.as_of, prices.panel_version)}/earlier",
            json={
                "symbols": list(asked.symbols),
                "since": asked.since.isoformat(),
                "sessions": [session.isoformat() for session in asked.sessions],
            },
        )
        if answer.status_code in {404, 405}:
            # While versions change, a replica of before is asked.
            log.info("not_served_beside_panel", what="earlier", panel=str(prices.as_of))
            return None
        if answer.status_code != 200:
            raise unexpected(answer, "marketdata", "what came before a panel")
        return await asyncio.to_thread(decode_earlier, answer.content, asked, prices)

    async def _find(
        self, as_of: date, panel_version: int, wanted: Sequence[str]
    ) -> tuple[_Panel, Mapping[str, Column]]:
        found: dict[str, Column] = {}
        panel = self._panels.get((as_of, panel_version))
        if panel is None:
            # Columns of the session are kept for some symbols: the panel may show the same ones,
            # and says so by their versions when asked for the others.
            kept = {
                key.symbol
                for key in self._memory
                if isinstance(key, _ColumnKey) and key.edition.as_of == as_of and key.version > 0
            }
            new = [symbol for symbol in wanted if symbol not in kept]
            panel = await self._ask(as_of, panel_version, new, found)
        lacking = self._recall(panel, wanted, found)
        if lacking:
            await self._ask(as_of, panel_version, lacking, found)
        self._panels.move_to_end((as_of, panel_version))
        while len(self._panels) > PANELS_KEPT:
            self._panels.popitem(last=False)
        return panel, {symbol: found[symbol] for symbol in wanted if symbol in found}

    def _recall(
        self, panel: _Panel, wanted: Sequence[str], found: dict[str, Column]
    ) -> Sequence[str]:
        """Add what is kept to `found`; return the symbols still to be asked for."""
        lacking = []
        for symbol in wanted:
            if symbol in found or symbol in panel.absent:
                continue
            column = self._memory.recall(panel.key(symbol))
            if isinstance(column, Column):
                found[symbol] = column
            else:
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
        path = _address(as_of, panel_version)
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
        panel = self._panels.setdefault(
            (as_of, panel_version), _Panel(panel_version, answer.edition)
        )
        panel.versions.update(answer.versions)
        panel.missing.update(answer.missing)
        panel.absent.update(answer.missing.keys() - answer.columns.keys())
        for symbol, column in answer.columns.items():
            found[symbol] = column
            self._memory.keep(panel.key(symbol), column)

    async def _beside(
        self, panel: _Panel, aside: Aside, kind: type[A], decoded: Callable[[bytes], A]
    ) -> A | None:
        """Return what is beside a panel's columns; None where marketdata does not know of any."""
        tag = panel.tags.get(aside) or self._newest_tag(panel.edition.as_of, aside) or NO_TAG
        kept = self._memory.recall(_AsideKey(aside, tag))
        same = kept if isinstance(kept, kind) else None
        if same is not None and aside in panel.tags:
            return same
        answer = await self._marketdata.get(
            f"{panel.address}/{aside}",
            headers={} if same is None else {"If-None-Match": tag},
        )
        if answer.status_code == 304 and same is not None:
            panel.tags[aside] = tag
            return same
        if answer.status_code == 404:
            # While versions change, a replica of before is asked: another may know next time.
            log.info("not_served_beside_panel", what=aside, panel=panel.address)
            return None
        if answer.status_code != 200:
            raise unexpected(answer, "marketdata", f"the {aside} of a panel")
        value = await asyncio.to_thread(decoded, answer.content)
        panel.tags[aside] = answer.headers.get("etag", panel.address)
        self._memory.keep(_AsideKey(aside, panel.tags[aside]), value)
        return value

    def _newest_tag(self, as_of: date, aside: Aside) -> str | None:
        tags = (
            panel.tags.get(aside)
            for (session, _), panel in reversed(self._panels.items())
            if session == as_of
        )
        return next((tag for tag in tags if tag is not None), None)


def _address(as_of: date, panel_version: int) -> str:
    return f"/internal/panel/{as_of.isoformat()}/{panel_version}"


def _assemble(
    panel: _Panel,
    columns: Mapping[str, Column],
    missing: Mapping[str, str],
    reference: Reference,
    curves: Curves,
) -> Market:
    histories = {
        symbol: column.bars for symbol, column in columns.items() if column.bars is not None
    }
    securities = {
        symbol: column.security for symbol, column in columns.items() if column.security is not None
    }
    return Market(
        prices=prices_of(panel.edition, panel.number, histories, missing),
        reference=replace(reference.prices, panel_version=panel.number),
        snapshots=snapshots_of(columns),
        securities={**reference.securities, **securities},
        rates=curves.rates,
        benchmark=reference.benchmark,
        cross_section=reference.cross_section
        and replace(reference.cross_section, panel_version=panel.number),
    )
