"""Name the inputs of a result, so that a reader can tell whether anything that matters changed."""

import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from uuid import UUID

import numpy as np
import numpy.typing as npt

from risk_engine.domain import PANEL_CURRENCY, Book, History, Market, Position, Prices
from risk_engine.engine.digests import canonical, said
from risk_engine.engine.frame import Frame
from risk_engine.engine.ledger import in_order
from risk_engine.engine.options import Contracts
from risk_engine.engine.performance import returns_of
from risk_engine.engine.valuation import MODEL_VERSION
from risk_engine.quant.panel import MAX_PRICE_AGE, FloatArray, is_price


def input_hash(book: Book, prices: Prices, as_of: date, opening_cash: Decimal | None = None) -> str:
    """Give the SHA-256, in hex, of everything the numbers of `book` on `as_of` depend on.

    That is the model version, the book with its revision and positions, the provider and, of the
    symbols the book is priced by, the reason for a gap, the closes that may be read (at the opening
    and at `as_of`, each with the sessions a stale close may come from, or the older one that stands
    in for them) and the splits and dividends until `as_of`. Neither the panel's version nor what it
    holds besides changes it.
    """
    opening_row = bisect_right(prices.sessions, book.opening_session, lo=prices.early) - 1
    end = bisect_right(prices.sessions, as_of)
    symbols = sorted(
        {
            one.symbol
            for one in book.positions
            if one.investment_class == "PUBLIC" and one.currency == PANEL_CURRENCY
        }
    )
    found = [symbol for symbol in symbols if symbol in prices.columns]
    columns = np.array([prices.columns[symbol] for symbol in found], dtype=np.intp)
    described = {
        "model_version": MODEL_VERSION,
        "as_of": as_of.isoformat(),
        "portfolio_id": str(book.portfolio_id),
        "revision": book.revision,
        "currency": book.currency,
        "equity_balance": _text(book.equity_balance),
        "opening_session": book.opening_session.isoformat(),
        "opening_cash": _text(opening_cash if opening_row < prices.early else None),
        "positions": [_facts(position) for position in in_order(book.positions)],
        "provider": prices.provider,
        "symbols": found,
        "missing": {symbol: prices.missing.get(symbol) for symbol in symbols},
    }
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for last in (opening_row, end - 1):
        readable = range(max(prices.early, last - MAX_PRICE_AGE), last + 1)
        digest.update(_cells(prices, prices.close, columns, readable, idle=math.nan))
        digest.update(_older_closes(prices, columns, readable))
    digest.update(_cells(prices, prices.split_ratio, columns, range(end), idle=1.0))
    digest.update(_cells(prices, prices.dividend, columns, range(end), idle=0.0))
    return digest.hexdigest()


class Fingerprints:
    """Names the inputs of all books of a frame; what they share is read once."""

    def __init__(self, frame: Frame, opening_cash: Mapping[UUID, Decimal]) -> None:
        self._frame = frame
        self._opening_cash = opening_cash

    def of(self, account: int, model_version: str) -> str:
        """Give the SHA-256, in hex, of everything a result of this account depends on.

        Beside what `input_hash` covers: the model version, the whole history of what the book
        depends on, quotes, curves, the long history of the factors, the benchmark, the returns of
        the account's sessions, what its options were priced at and what quotes implied on them.
        """
        return hashlib.sha256(model_version.encode() + self._inputs[account]).hexdigest()

    @cached_property
    def _inputs(self) -> Sequence[bytes]:
        frame = self._frame
        contracts = _digests_of_contracts(frame.market, frame.contracts)
        returns = returns_of(frame)
        inputs = []
        for account, book in enumerate(frame.books):
            opening_cash = self._opening_cash.get(book.portfolio_id)
            digest = hashlib.sha256(frame.digests.shared)
            digest.update(input_hash(book, frame.market.ledger, frame.as_of, opening_cash).encode())
            mine = frame.exposures.account == account
            for rows, digests in (
                (frame.exposures.underlying[mine], frame.digests.underlyings),
                (frame.exposures.contract[mine], contracts),
            ):
                for row in np.unique(rows[rows >= 0]).tolist():
                    digest.update(digests[row])
            digest.update(canonical(returns[:, account]).data)
            digest.update(_remembered(frame.histories[account]))
            inputs.append(digest.digest())
        return inputs


def _remembered(history: History) -> bytes:
    # Of options: the one thing of the past that is not in the panel.
    known = [
        {day.isoformat(): by_contract for day, by_contract in kept.items()}
        for kept in (history.option_prices, history.option_volatilities)
    ]
    return json.dumps(known, sort_keys=True).encode()


def _digests_of_contracts(market: Market, contracts: Contracts) -> Sequence[bytes]:
    return [
        hashlib.sha256(one.symbol.encode() + said(market.snapshots, one.symbol)).digest()
        for one in contracts.contracts
    ]


def _cells(
    prices: Prices,
    table: FloatArray,
    columns: npt.NDArray[np.intp],
    rows: range,
    *,
    idle: float,
) -> bytes:
    # The cells that say something: how many, then day numbers, places in `columns`, values.
    used = table[rows.start : rows.stop, columns]
    row, place = np.nonzero(~np.isnan(used) if math.isnan(idle) else used != idle)
    days = [prices.sessions[rows.start + one].toordinal() for one in row.tolist()]
    where = np.array([len(days), *days, *place.tolist()], dtype="<i8")
    return where.tobytes() + canonical(used[row, place]).tobytes()


def _older_closes(prices: Prices, columns: npt.NDArray[np.intp], readable: range) -> bytes:
    # The last closes before these sessions, of what has none in them: it is carried at those.
    recent = is_price(prices.close[readable.start : readable.stop, columns])
    found: list[float] = []
    for place in np.flatnonzero(~recent.any(axis=0)).tolist():
        close = prices.close[prices.early : readable.start, columns[place]]
        usable = np.flatnonzero(is_price(close))
        if usable.size:
            last = prices.early + usable[-1]
            found += (place, prices.sessions[last].toordinal(), close[usable[-1]])
    return np.array([len(found), *found], dtype="<f8").tobytes()


def _facts(position: Position) -> list[str | None]:
    return [
        str(position.id),
        position.symbol,
        position.position_type,
        position.investment_class,
        position.investment_subtype,
        _text(position.quantity),
        _text(position.multiplier),
        _text(position.entry_price),
        position.entry_date.isoformat(),
        _text(position.exit_date),
        _text(position.exit_price),
        position.underlying_symbol,
        _text(position.strike_price),
        _text(position.expiration_date),
        position.currency,
    ]


def _text(value: Decimal | date | None) -> str | None:
    if value is None:
        return None
    if isinstance(value, date):
        return value.isoformat()
    # 1.50 and 1.5 are one amount. A signalling NaN cannot be normalised.
    return str(value.normalize() if value.is_finite() else value)
