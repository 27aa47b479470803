"""Calculate a chunk of stored books: bytes in, bytes out, so that no heavy reading or writing is
left to the event loop.
"""

import json
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from risk_engine.domain import (
    PANEL_CURRENCY,
    Book,
    EngineName,
    Failure,
    History,
    Market,
    Position,
    Status,
)
from risk_engine.engine.acceptance import UNSUPPORTED_CURRENCY, refusal
from risk_engine.engine.currencies import open_in_other_currencies, with_other_currencies
from risk_engine.engine.fingerprint import Fingerprints
from risk_engine.engine.frame import Frame, lay_out_chunk
from risk_engine.engine.memo import Memo
from risk_engine.engine.registry import ENGINES_BY_NAME, MODEL_VERSIONS
from risk_engine.engine.results import Answer, EngineResult, pack
from risk_engine.engine.snapshots import SnapshotRow, snapshots_of

LAYOUT = "layout"
"""What is done once for all engines, beside them in the measurements."""
LEANS_ON_VALUATION: Final = "leans_on_valuation"
_LEANS: Final = (
    "The account's valuation lacks prices, see its notes, and this result leans on its net asset "
    "value and on what the positions are carried at."
)
_LACKING: Final = frozenset({"partial", "insufficient"})


@dataclass(frozen=True, slots=True)
class StoredBook:
    """A book as its replica keeps it.

    `positions` is a JSON list in the form of `common.events.onboarding.BookPosition`. `symbols` are
    the ones it is priced by. `opening_cash` is what an earlier calculation found, or none.
    """

    portfolio_id: UUID
    user_id: UUID
    revision: int
    name: str
    currency: str
    equity_balance: Decimal
    opening_session: date
    symbols: tuple[str, ...]
    positions: str
    opening_cash: Decimal | None = None
    history: History | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """An engine's result as it is stored: see `engine.results.pack`."""

    status: Status
    model_version: str
    input_hash: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Calculated:
    """What the engines found out about a book, ready to be stored.

    `failed` are the engines that gave nothing. `opening_cash` is none when the opening session
    precedes the panel, so that it could not be calculated.
    """

    portfolio_id: UUID
    revision: int
    opening_session: date
    status: Status
    net_asset_value: float
    results: Mapping[EngineName, Packed]
    failed: Mapping[EngineName, Failure]
    snapshots: Sequence[SnapshotRow]
    opening_cash: Decimal | None


Stopwatch = Callable[[str], AbstractContextManager[None]]
"""Takes the time of a part of the work, by its name."""


def _untimed(_: str) -> AbstractContextManager[None]:
    return nullcontext()


def calculate(
    books: Sequence[StoredBook],
    market: Market,
    stopwatch: Stopwatch = _untimed,
    memo: Memo | None = None,
) -> list[Calculated | Failure]:
    """Run all engines over the books of a chunk; the answers are in the order of the books.

    `memo` is what other chunks have found out already; it changes no number.
    A book that breaks an engine loses that engine's result alone, and costs the others nothing.
    """
    if not books:
        return []
    memo = memo or Memo()
    try:
        return _calculate(books, market, stopwatch, memo)
    except Exception as error:  # noqa: BLE001 - a bug met by one book must not cost the others
        if len(books) == 1:
            return [_broken(error)]
        middle = len(books) // 2
        return [
            *calculate(books[:middle], market, stopwatch, memo),
            *calculate(books[middle:], market, stopwatch, memo),
        ]


def _calculate(
    stored: Sequence[StoredBook], market: Market, stopwatch: Stopwatch, memo: Memo
) -> list[Calculated | Failure]:
    opening_cash = {
        one.portfolio_id: one.opening_cash for one in stored if one.opening_cash is not None
    }
    books = [_book(one) for one in stored]
    refused = [refusal(book, market.prices, market.as_of, opening_cash) for book in books]
    accepted = [place for place, answer in enumerate(refused) if answer is None]
    answers: list[Calculated | Failure | None] = list(refused)
    if accepted:
        with stopwatch(LAYOUT):
            frame = lay_out_chunk(
                [books[place] for place in accepted],
                market,
                opening_cash,
                [stored[place].history or History.none() for place in accepted],
                memo,
            )
        found = _calculated(frame, opening_cash, stopwatch)
        for place, answer in zip(accepted, found, strict=True):
            answers[place] = answer
    return [answer for answer in answers if answer is not None]


def _calculated(
    frame: Frame, opening_cash: Mapping[UUID, Decimal], stopwatch: Stopwatch
) -> list[Calculated | Failure]:
    by_engine = {}
    foreign = [open_in_other_currencies(frame, account) for account in range(len(frame.books))]
    for name in ENGINES_BY_NAME:
        with stopwatch(name):
            by_engine[name] = _answers(name, frame, foreign)
    fingerprints = Fingerprints(frame, opening_cash)
    snapshots = snapshots_of(frame)
    found: list[Calculated | Failure] = []
    for account, book in enumerate(frame.books):
        answers = {name: answers[account] for name, answers in by_engine.items()}
        valuation = answers["valuation"]
        if isinstance(valuation, Failure):
            found.append(valuation)
            continue
        known = {
            name: _at_best(answer, valuation.status)
            for name, answer in answers.items()
            if not isinstance(answer, Failure)
        }
        totals = frame.valuations[account].totals
        complete = book.opening_session >= frame.market.prices.sessions[0]
        found.append(
            Calculated(
                portfolio_id=book.portfolio_id,
                revision=book.revision,
                opening_session=book.opening_session,
                status=valuation.status,
                net_asset_value=totals.net_asset_value,
                results={
                    name: Packed(
                        status=answer.status,
                        model_version=MODEL_VERSIONS[name],
                        input_hash=fingerprints.of(account, MODEL_VERSIONS[name]),
                        payload=pack(answer.payload),
                    )
                    for name, answer in known.items()
                },
                failed={
                    name: answer for name, answer in answers.items() if isinstance(answer, Failure)
                },
                snapshots=snapshots[account],
                # The shortest text that reads back as the same float64.
                opening_cash=Decimal(repr(totals.opening_cash)) if complete else None,
            )
        )
    return found


def _at_best(answer: EngineResult, valuation: Status) -> EngineResult:
    # What leans on a value that lacks prices lacks them too, be it told from factors.
    if valuation not in _LACKING or answer.status in _LACKING:
        return answer
    notes = answer.payload["notes"]
    # Of positions in another currency every engine says it already.
    if all(note["code"] != UNSUPPORTED_CURRENCY for note in notes):
        notes = [*notes, {"code": LEANS_ON_VALUATION, "message": _LEANS}]
    return EngineResult("partial", {**answer.payload, "notes": notes})


def _answers(
    name: EngineName, frame: Frame, foreign: Sequence[Sequence[Position]]
) -> Sequence[Answer]:
    try:
        return [
            answer if isinstance(answer, Failure) else with_other_currencies(name, answer, left_out)
            for answer, left_out in zip(ENGINES_BY_NAME[name](frame), foreign, strict=True)
        ]
    except Exception as error:
        # Among others it is found out first which book it is.
        if len(frame.books) > 1:
            raise
        return [_broken(error)]


def _broken(error: Exception) -> Failure:
    return Failure(
        "engine_error",
        f"The engine failed: {type(error).__name__}: {error}",
        trace="".join(traceback.format_exception(error)),
    )


def _book(stored: StoredBook) -> Book:
    return Book(
        portfolio_id=stored.portfolio_id,
        user_id=stored.user_id,
        revision=stored.revision,
        name=stored.name,
        currency=stored.currency,
        equity_balance=stored.equity_balance,
        opening_session=stored.opening_session,
        positions=tuple(_position(record) for record in json.loads(stored.positions)),
    )


def _position(record: Mapping[str, Any]) -> Position:
    return Position(
        id=UUID(record["position_id"]),
        symbol=record["symbol"],
        position_type=record["position_type"],
        investment_class=record["investment_class"],
        investment_subtype=record["investment_subtype"],
        quantity=Decimal(record["quantity"]),
        multiplier=Decimal(record["multiplier"]),
        entry_price=Decimal(record["entry_price"]),
        entry_date=date.fromisoformat(record["entry_date"]),
        exit_date=_date(record["exit_date"]),
        exit_price=_decimal(record["exit_price"]),
        underlying_symbol=record["underlying_symbol"],
        strike_price=_decimal(record["strike_price"]),
        expiration_date=_date(record["expiration_date"]),
        # Not said by what was stored before positions had one.
        currency=record.get("currency", PANEL_CURRENCY),
    )


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
