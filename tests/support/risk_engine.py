"""Books, panels and a marketdata to try the risk engine with: every number is easy to add up."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.events.marketdata import PricedItem, PricesReady
from common.events.onboarding import Book, BookPosition, PortfolioChanged, PortfolioCreated
from common.service import Platform, Service
from risk_engine.main import build
from risk_engine.settings import Settings
from tests.support.harness import Harness
from tests.support.neighbours import Neighbours

AS_OF = date(2026, 1, 9)
SESSIONS = tuple(
    day for day in (AS_OF - timedelta(days=back) for back in range(30, -1, -1)) if day.weekday() < 5
)
OPENING = SESSIONS[-5]
ADA = UUID(int=0xADA)


def service(platform: Platform) -> Service:
    """The risk engine with two megabytes for columns."""
    return build(Settings(panel_cache_megabytes=2), platform)


def position(symbol: str, quantity: int, entry_price: str = "10", **changes: Any) -> BookPosition:
    """A public position, entered long before the opening."""
    return BookPosition.model_validate(
        {
            "position_id": uuid4(),
            "symbol": symbol,
            "position_type": "LONG" if quantity > 0 else "SHORT",
            "investment_class": "PUBLIC",
            "quantity": Decimal(quantity),
            "entry_price": Decimal(entry_price),
            "entry_date": date(2024, 3, 1),
            **changes,
        }
    )


def book(
    *positions: BookPosition, portfolio_id: UUID | None = None, revision: int = 1, **changes: Any
) -> Book:
    """Ada's account of 10,000, opened four sessions before AS_OF."""
    return Book.model_validate(
        {
            "portfolio_id": portfolio_id or uuid4(),
            "revision": revision,
            "user_id": ADA,
            "name": "Ada's book",
            "equity_balance": Decimal(10_000),
            "opening_session": OPENING,
            "created_at": datetime(2026, 1, 6, tzinfo=UTC),
            "positions": positions,
            **changes,
        }
    )


def event(of: Book) -> PortfolioCreated | PortfolioChanged:
    """What onboarding says of a book."""
    return PortfolioCreated(book=of) if of.revision == 1 else PortfolioChanged(book=of)


def prices_ready(*books: Book, as_of: date = AS_OF, panel_version: int = 1) -> PricesReady:
    """What marketdata says once these books can be priced."""
    return PricesReady(
        as_of=as_of,
        panel_version=panel_version,
        provider="simulated",
        items=tuple(
            PricedItem(portfolio_id=one.portfolio_id, revision=one.revision) for one in books
        ),
    )


def panel(
    closes: Mapping[str, float],
    *,
    panel_version: int = 1,
    as_of: date = AS_OF,
    versions: Mapping[str, int] | None = None,
    missing: Mapping[str, str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> bytes:
    """A panel in which every symbol closes at one price in every session, as Arrow IPC.

    `versions` tells of all columns of the panel, these symbols' included; 1 unless given. `about`
    is what else it says of itself.
    """
    count = len(SESSIONS)
    prices = [price for price in closes.values() for _ in SESSIONS]
    cells = len(prices)
    metadata = {
        "as_of": as_of.isoformat(),
        "panel_version": panel_version,
        "provider": "simulated",
        "model_version": "1",
        "sessions": [day.isoformat() for day in SESSIONS],
        "missing": dict(missing or {}),
        "column_versions": {**dict.fromkeys(closes, 1), **(versions or {})},
        "securities": {},
        **(about or {}),
    }
    table = pa.table(
        {
            "session": pa.array(list(SESSIONS) * len(closes), pa.date32()),
            "symbol": pa.array([symbol for symbol in closes for _ in range(count)], pa.string()),
            **dict.fromkeys(("open", "high", "low", "close"), pa.array(prices, pa.float64())),
            "volume": pa.array([1_000] * cells, pa.int64()),
            "split_ratio": pa.array([1.0] * cells, pa.float64()),
            "dividend": pa.array([0.0] * cells, pa.float64()),
        }
    ).replace_schema_metadata({b"sigmasight": json.dumps(metadata)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    encoded: bytes = sink.getvalue().to_pybytes()
    return encoded


class Marketdata:
    """Panels as marketdata serves them; remembers which symbols each request asked for."""

    def __init__(self, closes: Mapping[str, float], *, tells_all_versions: bool = False) -> None:
        self.closes = dict(closes)
        self.versions = dict.fromkeys(closes, 1)
        self.asked: list[tuple[int, list[str]]] = []
        self.status = 200
        self._tells_all_versions = tells_all_versions

    def publish(self, neighbours: Neighbours, panel_version: int = 1, as_of: date = AS_OF) -> None:
        """Serve what is known now under a version."""
        closes, versions = dict(self.closes), dict(self.versions)

        def answer(request: Request) -> Response:
            asked = _asked(request)
            self.asked.append((panel_version, asked))
            if self.status != 200:
                return JSONResponse({"detail": "no panel"}, self.status)
            told = (
                versions
                if self._tells_all_versions
                else {symbol: versions[symbol] for symbol in asked if symbol in closes}
            )
            content = panel(
                {symbol: closes[symbol] for symbol in asked if symbol in closes},
                panel_version=panel_version,
                as_of=as_of,
                versions=told,
                missing={symbol: "not listed" for symbol in asked if symbol not in closes},
            )
            return Response(content, media_type="application/vnd.apache.arrow.stream")

        for method in ("GET", "POST"):
            neighbours.answers[f"{method} /internal/panel/{as_of}/{panel_version}"] = answer


def _asked(request: Request) -> list[str]:
    if request.method == "GET":
        return request.query_params["symbols"].split(",")
    body: bytes = request._body
    found: list[str] = json.loads(body)["symbols"]
    return found


def ended(harness: Harness, contract: Any, count: int = 1) -> Callable[[], Iterable[Any]]:
    """A predicate for `eventually`: so many events of a contract, or nothing yet."""

    def found() -> Iterable[Any]:
        events = harness.bus.events(contract)
        return events if len(events) >= count else []

    return found
