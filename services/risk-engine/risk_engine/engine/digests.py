"""Digests of what a chunk is calculated from: what all books share, and each underlying's own."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from risk_engine.domain import Market, Prices, Snapshots
from risk_engine.engine.underlyings import Underlyings
from risk_engine.quant.panel import NO_COLUMN, FloatArray


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of inputs.

    `shared` covers the reference and the cross-section with their securities, curves, benchmark,
    scenarios and limits.
    `factors` covers what factors and whatever is estimated from them depend on besides an
    underlying's own: all that, and which sessions are looked at. `underlyings` cover each one's
    name, security, snapshot and bars.
    """

    shared: bytes
    factors: bytes
    underlyings: Sequence[bytes]


def digests_of(market: Market, underlyings: Underlyings) -> Digests:
    """Digest the inputs of a chunk."""
    shared = _of_shared(market)
    return Digests(shared, _of_factors(shared, market), _of_underlyings(market, underlyings))


def _of_shared(market: Market) -> bytes:
    digest = hashlib.sha256()
    shares = market.cross_section
    for table in (
        *_tables(market.reference),
        *(_tables(shares) if shares is not None else ()),
        *(market.rates.years, market.rates.zero),
    ):
        digest.update(canonical(table).ravel().data)
    benchmark = market.benchmark
    everywhere = (*market.reference.symbols, *(shares.symbols if shares is not None else ()))
    said = {
        "sessions": [day.isoformat() for day in market.reference.sessions],
        "symbols": market.reference.symbols,
        "securities": repr([market.securities.get(one) for one in everywhere]),
        "cross_section": None
        if shares is None
        else [[day.isoformat() for day in shares.sessions], shares.symbols],
        "scenarios": None if market.scenarios is None else market.scenarios.digest,
        "limits": [market.limits.gross_dollar_gamma, market.limits.gross_vega],
        "curves": [day.isoformat() for day in market.rates.sessions],
        "benchmark": None
        if benchmark is None
        else [benchmark.name, benchmark.as_of.isoformat(), sorted(benchmark.weights.items())],
    }
    digest.update(json.dumps(said, sort_keys=True).encode())
    return digest.digest()


def _of_factors(shared: bytes, market: Market) -> bytes:
    days = [session.toordinal() for session in market.prices.sessions]
    return hashlib.sha256(shared + repr(days).encode()).digest()


def _of_underlyings(market: Market, underlyings: Underlyings) -> Sequence[bytes]:
    digests = []
    for key, security in zip(underlyings.keys, underlyings.securities, strict=True):
        digest = hashlib.sha256(repr((key, security)).encode())
        digest.update(said(market.snapshots, key.symbol))
        digests.append(digest)
    priced = np.flatnonzero(underlyings.column != NO_COLUMN)
    for table in _tables(market.prices):
        # A column lies together in memory only once the table is turned.
        columns = canonical(np.ascontiguousarray(table.T)[underlyings.column[priced]])
        for row, column in zip(priced.tolist(), columns, strict=True):
            digests[row].update(column)
    return [digest.digest() for digest in digests]


def said(snapshots: Snapshots, symbol: str) -> bytes:
    """Return what was said of a symbol, as bytes."""
    row = snapshots.rows.get(symbol)
    if row is None:
        return b"nothing"
    every = [
        getattr(snapshots, one.name)[row]
        for one in fields(snapshots)
        if one.name not in ("symbols", "dividends")
    ]
    declared = repr(snapshots.dividends.get(symbol, ()))
    return canonical(np.array(every)).tobytes() + declared.encode()


def _tables(prices: Prices) -> Sequence[FloatArray]:
    tables = (
        *(prices.close, prices.split_ratio, prices.dividend),
        *(prices.open, prices.high, prices.low, prices.volume),
    )
    return [table for table in tables if table is not None]


def digest_of(*arrays: FloatArray) -> bytes:
    """Digest the bytes of arrays."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(canonical(array).ravel().data)
    return digest.digest()


def canonical(values: FloatArray) -> FloatArray:
    """Return values whose bytes are the same wherever the values are.

    NaN has many bit patterns; one stands for all.
    """
    return np.where(np.isnan(values), np.nan, values).astype("<f8", order="C", copy=False)
