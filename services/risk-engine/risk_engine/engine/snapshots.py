"""The history of an account: what is kept of a session."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np

from common.options import Contract
from risk_engine.domain import History, Status, Valuation
from risk_engine.engine.acceptance import is_known_since_opening
from risk_engine.engine.frame import Frame
from risk_engine.engine.listing import contract_of
from risk_engine.engine.statement import status_of


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """An account at the close of a session, in US dollars, unrounded; see `domain.Totals`.

    `daily_pnl` and `daily_return` are since the session before; None on the opening session.
    `option_prices` is a JSON object of prices by contract, None for an account without options;
    `option_volatilities` likewise of what their quotes implied, None where none did.
    """

    session: date
    status: Status
    net_asset_value: float
    cash: float
    long_market_value: float | None
    short_market_value: float | None
    gross_market_value: float | None
    net_market_value: float | None
    carried_value: float
    cost_basis: float
    unrealized_pnl: float | None
    realized_pnl: float
    daily_pnl: float | None
    daily_return: float | None
    option_prices: str | None
    option_volatilities: str | None


def snapshots_of(frame: Frame) -> Sequence[Sequence[SnapshotRow]]:
    """Return the sessions to be stored of each book, ascending.

    They are the ones its history lacks since the opening, and today: a night that did not run
    leaves no hole, and another revision of the book has a history of its own.
    """
    past, prices = frame.valued.past, frame.market.ledger
    known = [set(history.sessions) for history in frame.histories]
    kept: list[list[SnapshotRow]] = [[] for _ in frame.books]
    for day, (account, row) in enumerate(
        zip(past.account.tolist(), past.row.tolist(), strict=True)
    ):
        session = prices.sessions[row]
        if session not in known[account]:
            kept[account].append(_row(frame, day, account, session))
    return kept


def option_prices(frame: Frame, account: int, session: date) -> Mapping[str, float]:
    """Give what is known of the prices of an account's options on a session, by contract."""
    if session < frame.as_of:
        stored: History = frame.histories[account]
        return stored.option_prices.get(session, {})
    return {contract.symbol: price for contract, _, price in _priced(frame, account)}


def option_volatilities(frame: Frame, account: int, session: date) -> Mapping[str, float]:
    """Give what quotes of an account's options implied on a session, by contract."""
    if session < frame.as_of:
        stored: History = frame.histories[account]
        return stored.option_volatilities.get(session, {})
    owner, contracts = frame.books[account].portfolio_id, frame.contracts
    return {
        contract.symbol: float(contracts.terms.volatility[row])
        for contract, position_id, _ in _priced(frame, account)
        if contracts.volatility_source[row := contracts.rows[owner, position_id]] == "quote"
    }


def _priced(frame: Frame, account: int) -> Iterator[tuple[Contract, UUID, float]]:
    # What has a price of today, of the market or the model.
    valuation: Valuation = frame.valuations[account]
    priced = {
        one.position_id: one.market_price
        for one in valuation.positions
        if one.investment_class == "OPTIONS" and one.market_price is not None and not one.stale
    }
    for position in frame.books[account].positions:
        contract = contract_of(position)
        price = priced.get(position.id)
        if contract is not None and price is not None:
            yield contract, position.id, price


def _row(frame: Frame, day: int, account: int, session: date) -> SnapshotRow:
    past = frame.valued.past
    complete = is_known_since_opening(frame.books[account], frame.market.ledger)

    def amount(name: str) -> float:
        return float(getattr(past.values, name)[day])

    def known(name: str) -> float | None:
        return _number(getattr(past.values, name)[day])

    prices = option_prices(frame, account, session)
    volatilities = option_volatilities(frame, account, session)
    return SnapshotRow(
        session=session,
        status=status_of(past.counts, day, complete=complete),
        net_asset_value=amount("net_asset_value"),
        cash=amount("cash"),
        long_market_value=known("long_market_value"),
        short_market_value=known("short_market_value"),
        gross_market_value=known("gross_market_value"),
        net_market_value=known("net_market_value"),
        carried_value=amount("carried_value"),
        cost_basis=amount("cost_basis"),
        unrealized_pnl=known("unrealized_pnl"),
        realized_pnl=amount("realized_pnl"),
        daily_pnl=_number(past.changes.pnl[day]),
        daily_return=_number(past.daily_return[day]),
        option_prices=json.dumps(prices, sort_keys=True) if prices else None,
        option_volatilities=json.dumps(volatilities, sort_keys=True) if volatilities else None,
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
