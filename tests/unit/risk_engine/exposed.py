"""The six positions as a frame: prices, Greeks, betas and risks as on paper, none estimated."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import numpy as np

from common import calendar
from risk_engine.domain import Book, History, Market, Position, Rates, Security, Snapshots
from risk_engine.engine.frame import Frame, lay_out_chunk
from risk_engine.engine.valuation import Valued
from risk_engine.quant.panel import FloatArray, sum_by
from tests.unit.risk_engine import books
from tests.unit.risk_engine.six_positions import (
    AS_OF,
    ENTRY,
    EQUITY,
    EXPIRY,
    OPENING,
    SIX_POSITIONS,
    Line,
)

SESSIONS = tuple(calendar.sessions(date(2025, 9, 2), AS_OF))
_LINES = {line.symbol: line for line in SIX_POSITIONS}
SPECIFIC_VOLATILITY = 0.01
MARKET_VOLATILITY = 0.01


def six_book(number: int = 1, lines: tuple[Line, ...] = SIX_POSITIONS, equity: float = EQUITY):
    """The book of the six positions, or of some of them."""
    return Book(
        portfolio_id=UUID(int=number),
        user_id=UUID(int=900 + number),
        revision=1,
        name="Six positions",
        currency="USD",
        equity_balance=Decimal(str(equity)),
        opening_session=OPENING,
        positions=tuple(_position(place, line) for place, line in enumerate(lines, start=1)),
    )


def six_market() -> Market:
    """The market of the six positions; prices move on the day after the opening."""
    listed = {line.symbol: line for line in SIX_POSITIONS if line.contract is None and line.price}
    closes = {
        symbol: [_close(line, opened=day > OPENING) for day in SESSIONS]
        for symbol, line in listed.items()
    }
    closes["RUT"] = [2_000.0] * len(SESSIONS)
    prices = books.market(closes, sessions=SESSIONS)
    volumes = [listed[name].daily_volume if name in listed else np.nan for name in closes]
    prices = replace(prices, volume=np.tile(volumes, (len(SESSIONS), 1)))
    contracts = [line for line in SIX_POSITIONS if line.contract is not None]
    unknown = np.full(len(contracts), np.nan)
    traded = np.array([line.daily_volume for line in contracts])
    names = tuple(_contract_name(line) for line in contracts)
    snapshots = Snapshots(names, *(unknown,) * 5, traded, unknown, unknown)
    return Market(prices, prices, snapshots, _securities(), Rates.unknown(), None)


def six_frame(*some_books: Book, market: Market | None = None) -> Frame:
    """Books of the six positions laid out, with what is known of them by hand."""
    held = some_books or (six_book(),)
    frame = lay_out_chunk(held, market or six_market(), {}, [History.none()] * len(held))
    held_lines = [
        _LINES[line.position.symbol]
        for lines in frame.valued.ledger.lines
        for line in lines
        if line.row is not None
    ]
    exposures, is_open = frame.exposures, frame.exposures.is_open
    units, spots = exposures.quantity * exposures.multiplier, _spots(frame)
    prices = np.array([line.price or line.entry_price for line in held_lines])

    def by_hand(of_share: str, scale: FloatArray, otherwise: FloatArray) -> FloatArray:
        greeks = [line.contract for line in held_lines]
        known = [np.nan if one is None else getattr(one, of_share) for one in greeks]
        return np.where(np.isnan(known), otherwise, units * np.array(known) * scale)

    nothing, value = np.zeros(len(units)), np.where(is_open, units * prices, 0.0)
    return replace(
        frame,
        valued=_valued(frame, held_lines, value),
        exposures=replace(
            exposures,
            value=value,
            dollar_delta=by_hand("delta", spots, value),
            # None of them is on the volatility index.
            sensitivity=by_hand("delta", spots, value),
            dollar_gamma=by_hand("gamma", spots**2 / 100, nothing),
            vega=by_hand("vega", np.ones(len(units)), nothing),
        ),
        contracts=replace(
            frame.contracts,
            terms=replace(
                frame.contracts.terms,
                spot=np.array([_spot(one.underlying) for one in frame.contracts.contracts]),
            ),
        ),
        factor_model=_factor_model(frame),
    )


def _valued(frame: Frame, held_lines: list[Line], value: FloatArray) -> Valued:
    # NAV is the equity and what every position has gained since the opening.
    valued, quantity = frame.valued, frame.valued.ledger.holdings.quantity
    lots = quantity * frame.valued.ledger.holdings.multiplier
    now = [line.exit_price or line.price or line.entry_price for line in held_lines]
    before = [line.opening_price or line.entry_price for line in held_lines]
    account, count = frame.exposures.account, len(frame.books)
    gain = sum_by(account, lots * (np.array(now) - np.array(before)), count)
    private = np.array([line.price is None for line in held_lines], dtype=np.bool_)
    priced = np.where(private, 0.0, value)
    long = sum_by(account, np.maximum(priced, 0.0), count)
    short = sum_by(account, np.minimum(priced, 0.0), count)
    return replace(
        valued,
        values=replace(
            valued.values,
            carried=private,
            price_row=np.where(private, -1, len(SESSIONS) - 1),
        ),
        accounts=replace(
            valued.accounts,
            net_asset_value=valued.accounts.equity_balance + gain,
            long_market_value=long,
            short_market_value=short,
            gross_market_value=long - short,
            net_market_value=long + short,
            carried_value=sum_by(account, np.where(private, value, 0.0), count),
        ),
    )


def _factor_model(frame: Frame):
    # Everything moves with the market by its beta, and by one percent of its own.
    model, count = frame.factor_model, len(frame.underlyings)
    betas = {line.underlying: line.beta for line in SIX_POSITIONS}
    market = model.factors.index("MKT")
    loadings = np.zeros((count, len(model.factors)))
    loadings[:, market] = [betas[key.symbol] for key in frame.underlyings.keys]
    covariance = np.zeros((len(model.factors), len(model.factors)))
    covariance[market, market] = MARKET_VOLATILITY**2
    return replace(
        model,
        loadings=loadings,
        covariance=covariance,
        recent=np.zeros((len(SESSIONS), len(model.factors))),
        betas=replace(model.betas, shrunk=loadings[:, market]),
        panel=replace(model.panel, available=np.ones(len(model.factors), dtype=np.bool_)),
        specific_variance=np.full(count, SPECIFIC_VOLATILITY**2),
    )


def _position(number: int, line: Line) -> Position:
    private = line.price is None
    contract = line.contract
    return Position(
        id=UUID(int=number),
        symbol=line.symbol,
        position_type=line.position_type,
        investment_class="PRIVATE" if private else "OPTIONS" if contract else "PUBLIC",
        investment_subtype="PRIVATE_EQUITY" if private else None,
        quantity=Decimal(str(line.quantity)),
        multiplier=Decimal(str(line.multiplier)),
        entry_price=Decimal(str(line.entry_price)),
        entry_date=ENTRY,
        exit_date=line.exit_date,
        exit_price=None if line.exit_price is None else Decimal(str(line.exit_price)),
        underlying_symbol=line.underlying if contract else None,
        strike_price=Decimal(str(contract.strike)) if contract else None,
        expiration_date=EXPIRY if contract else None,
    )


def _securities() -> dict[str, Security]:
    stocks = {
        line.symbol: Security(line.symbol, "stock", line.sector, None)
        for line in SIX_POSITIONS
        if line.contract is None and line.price is not None
    }
    return stocks | {"RUT": Security("Russell 2000 Index", "index", "Index", "Index")}


def _close(line: Line, *, opened: bool) -> float:
    close = line.price if opened else line.opening_price
    assert close is not None
    return close


def _spots(frame: Frame) -> FloatArray:
    symbols = [frame.underlyings.keys[row].symbol for row in frame.exposures.underlying.tolist()]
    return np.array([_spot(symbol) for symbol in symbols])


def _spot(symbol: str) -> float:
    return next(line.spot for line in SIX_POSITIONS if line.underlying == symbol)


def _contract_name(line: Line) -> str:
    right = "C" if line.contract is not None and line.contract.is_call else "P"
    strike = 0 if line.contract is None else line.contract.strike
    return f"{line.underlying} {EXPIRY.isoformat()} {right} {strike:g}"
