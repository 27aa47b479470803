"""A night for the risk engine: thousands of books on a whole market, in marketdata's own bytes."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from common import calendar
from common.events.onboarding import Book, BookPosition
from common.options import Contract
from marketdata.clients.simulator import SimulatedMarket
from marketdata.domain import BAR, REFERENCE, Edition, PanelColumn, Snapshot, Source, Span
from marketdata.domain.columns import Reference
from marketdata.schemas import panel as wire
from marketdata.schemas import rates
from tests.support.neighbours import Neighbours
from tests.support.simulated import AS_OF, provider

SESSIONS, REFERENCE_SESSIONS = 780, 2_600
LINEAR, OPTIONS = 60, 15
OPENING = calendar.session_back(AS_OF, 1)
ENTERED = date(2024, 3, 1)
_NO_BARS = np.empty(0, BAR)
_LETTERS = {"call": "C", "put": "P"}


@dataclass(frozen=True)
class Night:
    """Everything that can be held, as a panel shows it."""

    edition: Edition
    columns: Mapping[str, PanelColumn]
    contracts: Sequence[Contract]
    reference: bytes
    rates: bytes

    @property
    def shares(self) -> Sequence[str]:
        """The symbols with bars."""
        return [symbol for symbol, column in self.columns.items() if len(column.history)]

    def publish(self, neighbours: Neighbours) -> None:
        """Serve the panel as marketdata does."""
        address = f"/internal/panel/{AS_OF}/1"

        def answer(request: Request) -> Response:
            if request.method == "GET":
                asked = request.query_params["symbols"].split(",")
            else:
                asked = json.loads(request._body)["symbols"]
            shown = [self.columns[symbol] for symbol in sorted(asked) if symbol in self.columns]
            versions = {one.symbol: 1 for one in shown if len(one.history)}
            return Response(wire.encode(self.edition, 1, versions, shown, asked))

        neighbours.answers[f"GET {address}"] = answer
        neighbours.answers[f"POST {address}"] = answer
        neighbours.answers[f"GET {address}/reference"] = lambda _: Response(self.reference)
        neighbours.answers[f"GET {address}/rates"] = lambda _: Response(self.rates)


async def a_night(contracts: int) -> Night:
    """Draw the simulated market, and find so many contracts that are quoted."""
    source = provider()
    span = Span(calendar.session_back(AS_OF, SESSIONS - 1), AS_OF)
    long_span = Span(calendar.session_back(AS_OF, REFERENCE_SESSIONS - 1), AS_OF)
    edition = Edition(
        Source("simulated", "night"),
        span,
        reference=Reference(REFERENCE, long_span),
        cross_section=source.cross_section,
    )
    shares = await _columns(source, source._market.symbols(), span)
    listed = await _quoted(source, list(shares), contracts)
    reference = await _columns(source, sorted(REFERENCE), long_span)
    return Night(
        edition=edition,
        columns={
            **shares,
            **{
                contract.symbol: PanelColumn(
                    contract.symbol,
                    1,
                    (await source.profiles([contract.symbol]))[contract.symbol],
                    None,
                    _NO_BARS,
                    said,
                )
                for contract, said in listed.items()
            },
        },
        contracts=sorted(listed),
        reference=wire.encode_reference(
            edition,
            list(reference.values()),
            await source.benchmark(AS_OF),
            [shares[symbol] for symbol in sorted(source.cross_section)],
        ),
        rates=rates.encode(edition, 1, await source.curves(long_span.first, AS_OF)),
    )


async def _columns(
    source: SimulatedMarket, symbols: Sequence[str], span: Span
) -> dict[str, PanelColumn]:
    bars = await source.bars(symbols, *span)
    profiles = await source.profiles(list(bars))
    said = await source.snapshots(list(bars), AS_OF)
    return {
        symbol: PanelColumn(
            symbol, 1, profiles[symbol], None, bars[symbol], said.get(symbol, Snapshot())
        )
        for symbol in sorted(bars)
    }


async def _quoted(
    source: SimulatedMarket, symbols: Sequence[str], count: int
) -> dict[Contract, Snapshot]:
    found: dict[Contract, Snapshot] = {}
    for symbol in symbols:
        chain = await source.chain(symbol, AS_OF)
        near = [one for one in sorted(chain) if (chain[one].bid or 0) > 0]
        for contract in near[:: max(1, len(near) // 150)]:
            found[contract] = chain[contract]
        if len(found) >= count:
            break
    return dict(sorted(found.items())[:count])


def books(night: Night, count: int, seed: int = 1) -> list[Book]:
    """So many books of 60 shares and 15 options each; one in six positions is short."""
    chance = random.Random(seed)
    shares = night.shares
    return [
        Book(
            portfolio_id=UUID(int=chance.getrandbits(128)),
            revision=1,
            user_id=UUID(int=1),
            name=f"Book {number}",
            equity_balance=Decimal(1_000_000),
            opening_session=OPENING,
            created_at=datetime(2025, 12, 31, tzinfo=UTC),
            positions=(
                *(_share(chance, symbol) for symbol in chance.sample(shares, LINEAR)),
                *(_option(chance, one) for one in chance.sample(night.contracts, OPTIONS)),
            ),
        )
        for number in range(count)
    ]


def _share(chance: random.Random, symbol: str) -> BookPosition:
    short = chance.random() < 1 / 6
    return BookPosition(
        position_id=UUID(int=chance.getrandbits(128)),
        symbol=symbol,
        position_type="SHORT" if short else "LONG",
        investment_class="PUBLIC",
        quantity=Decimal(chance.randint(5, 300) * (-1 if short else 1)),
        entry_price=Decimal(chance.randint(10, 200)),
        entry_date=ENTERED,
    )


def _option(chance: random.Random, contract: Contract) -> BookPosition:
    short = chance.random() < 1 / 6
    return BookPosition(
        position_id=UUID(int=chance.getrandbits(128)),
        symbol=contract.symbol,
        position_type=("S" if short else "L") + _LETTERS[contract.right],
        investment_class="OPTIONS",
        quantity=Decimal(chance.randint(1, 5) * (-1 if short else 1)),
        multiplier=Decimal(100),
        entry_price=Decimal(5),
        entry_date=ENTERED,
        underlying_symbol=contract.underlying,
        strike_price=contract.strike,
        expiration_date=contract.expiry,
    )
