"""Say in the domain's words what was found out about books, and what it rests on."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from risk_engine.domain import (
    Book,
    Coverage,
    Daily,
    Failure,
    PositionState,
    PositionValue,
    Prices,
    PriceSource,
    Status,
    Totals,
    Valuation,
)
from risk_engine.engine.acceptance import UNSUPPORTED_CURRENCY, is_known_since_opening, refusal
from risk_engine.engine.ledger import Line
from risk_engine.engine.notes import notes
from risk_engine.engine.past import Counts, Past, changed_basis
from risk_engine.engine.valuation import LEAST_AMOUNT, Valued, value
from risk_engine.quant.valuation import AccountValues, HoldingValues


def value_books(
    books: Sequence[Book],
    prices: Prices,
    as_of: date,
    opening_cash: Mapping[UUID, Decimal] | None = None,
) -> list[Valuation | Failure]:
    """Value all books of a chunk together; the answers are in the order of the books.

    `opening_cash` (by portfolio) is used for accounts whose opening session precedes the panel:
    what this engine answered as `totals.opening_cash` while that session was still in it. A book
    that cannot be valued gets a Failure, a position that cannot be is listed with its reason and
    left out of every total; neither touches the others.
    """
    stored = opening_cash or {}
    answers: list[Valuation | Failure | None] = [
        refusal(book, prices, as_of, stored) for book in books
    ]
    accepted = [book for book, refused in zip(books, answers, strict=True) if refused is None]
    if not accepted:
        return [answer for answer in answers if answer is not None]
    found = iter(valuations(value(accepted, prices, as_of, stored), accepted, prices, as_of))
    return [next(found) if answer is None else answer for answer in answers]


def valuations(
    valued: Valued, books: Sequence[Book], prices: Prices, as_of: date
) -> list[Valuation]:
    """Say in the domain's words what `value` found of the same books."""
    holding, account = _columns(valued.values), _columns(valued.accounts)
    holding["daily_pnl"] = _cells(valued.daily_pnl)
    holding["is_settled"] = valued.ledger.is_settled.tolist()
    changed = _changed_basis(valued)
    last = np.flatnonzero(np.append(np.diff(valued.past.account), 1)).tolist()
    answers = []
    for row, book in enumerate(books):
        totals = _totals(account, row)
        nav = totals.net_asset_value if totals.net_asset_value >= LEAST_AMOUNT else None
        positions = tuple(
            _position_value(line, nav, holding, prices, as_of) for line in valued.ledger.lines[row]
        )
        coverage = _coverage(positions, account["priced_share"][row])
        complete = is_known_since_opening(book, prices)
        daily = _daily(valued.past, last[row], prices)
        answers.append(
            Valuation(
                portfolio_id=book.portfolio_id,
                user_id=book.user_id,
                book_revision=book.revision,
                as_of=as_of,
                opening_session=book.opening_session,
                panel_version=prices.panel_version,
                provider=prices.provider,
                currency=book.currency,
                status=status_of(valued.past.counts, last[row], complete=complete),
                totals=totals,
                coverage=coverage,
                positions=positions,
                notes=notes(
                    {
                        "carried_at_entry_price": sum(
                            one.carried_at == "entry_price" for one in positions
                        ),
                        "carried_at_last_price": sum(
                            one.carried_at == "last_price" for one in positions
                        ),
                        "modelled_prices": coverage.modelled_positions,
                        "options_settled": coverage.settled_positions,
                        "stale_prices": coverage.stale_positions,
                        "unsupported_currency": coverage.unsupported_currency_positions,
                        "invalid_positions": coverage.invalid_positions
                        - coverage.unsupported_currency_positions,
                        "valuation_basis_changed": changed[row],
                        "repriced": int(abs(daily.repricing or 0.0) >= LEAST_AMOUNT),
                        "opening_before_panel": int(not complete),
                        "net_asset_value_not_positive": int(nav is None),
                    }
                ),
                daily=daily,
            )
        )
    return answers


def status_of(counts: Counts, day: int, *, complete: bool) -> Status:
    """Judge a valuation by what it rests on; `complete` is one that knows all since the opening.

    Private assets are carried by design and do not make a valuation partial.
    """
    market, priced = int(counts.market[day]), int(counts.priced[day])
    if market > 0 and priced == 0:
        return "insufficient"
    if market > priced or counts.invalid[day] or counts.changed_basis[day] or not complete:
        return "partial"
    return "stale" if counts.stale[day] else "ok"


def _totals(account: Mapping[str, Sequence[Any]], row: int) -> Totals:
    return Totals(**{one.name: account[one.name][row] for one in fields(Totals)})


def _position_value(
    line: Line,
    nav: float | None,
    holding: Mapping[str, Sequence[Any]],
    prices: Prices,
    as_of: date,
) -> PositionValue:
    position, row = line.position, line.row
    if row is None:
        return PositionValue(
            position_id=position.id,
            symbol=position.symbol,
            position_type=position.position_type,
            investment_class=position.investment_class,
            state="invalid",
            reason=line.reason,
            currency=position.currency,
        )
    state: PositionState = "open"
    if holding["pending"][row]:
        state = "pending"
    elif holding["closed"][row]:
        state = "closed"
    carried: bool = holding["carried"][row]
    at_cost: bool = holding["at_cost"][row]
    settled = state == "closed" and holding["is_settled"][row]
    factor: float = holding["split_factor"][row]
    cost: float = holding["cost_basis"][row]
    pnl: float | None = holding["unrealized_pnl"][row]
    priced_on = (
        prices.sessions[holding["price_row"][row]] if holding["price_row"][row] >= 0 else None
    )
    return PositionValue(
        position_id=position.id,
        symbol=position.symbol,
        position_type=position.position_type,
        investment_class=position.investment_class,
        state=state,
        reason=_reason(line, state, carried=carried, settled=settled),
        stale=priced_on is not None and priced_on < as_of,
        quantity=float(position.quantity) * factor,
        multiplier=float(position.multiplier),
        split_factor=factor,
        entry_price=float(position.entry_price) / factor,
        market_price=holding["price"][row],
        price_session=priced_on,
        price_age=None if priced_on is None else prices.rows[as_of] - holding["price_row"][row],
        market_value=holding["market_value"][row],
        cost_basis=cost,
        unrealized_pnl=pnl,
        unrealized_pnl_percent=None
        if pnl is None or abs(cost) < LEAST_AMOUNT
        else 100 * pnl / abs(cost),
        realized_pnl=holding["realized_pnl"][row],
        dividend_income=holding["dividend_income"][row],
        weight=holding["value"][row] / nav if nav is not None and state == "open" else None,
        carried_value=holding["value"][row] if carried else None,
        carried_at=("entry_price" if at_cost else "last_price") if carried else None,
        price_source=_source(line, state, carried=carried),
        estimated=state == "open" and not carried and line.source == "model",
        currency=position.currency,
        daily_pnl=holding["daily_pnl"][row],
    )


def _reason(line: Line, state: PositionState, *, carried: bool, settled: bool) -> str | None:
    if state == "pending":
        return "not_yet_open"
    if settled:
        return "expired"
    return line.reason if carried else None


def _source(line: Line, state: PositionState, *, carried: bool) -> PriceSource | None:
    if state != "open":
        return None
    return "carried" if carried else line.source


def _coverage(positions: Sequence[PositionValue], priced_share: float | None) -> Coverage:
    states = Counter(one.state for one in positions)
    held = [one for one in positions if one.state == "open"]
    priced = [one for one in held if one.market_value is not None]
    gross = sum(abs(one.market_value or one.carried_value or 0.0) for one in held)

    def share(some: Iterable[PositionValue]) -> float | None:
        return sum(abs(one.market_value or 0.0) for one in some) / gross if gross > 0 else None

    return Coverage(
        open_positions=len(held),
        market_positions=sum(one.investment_class != "PRIVATE" for one in held),
        priced_positions=len(priced),
        stale_positions=sum(one.stale for one in priced),
        carried_positions=len(held) - len(priced),
        closed_positions=states["closed"],
        pending_positions=states["pending"],
        invalid_positions=states["invalid"],
        unsupported_currency_positions=sum(one.reason == UNSUPPORTED_CURRENCY for one in positions),
        priced_share=priced_share,
        modelled_positions=sum(one.estimated for one in priced),
        settled_positions=sum(
            one.state == "closed" and one.reason == "expired" for one in positions
        ),
        modelled_share=share(one for one in priced if one.estimated),
        stale_share=share(one for one in priced if one.stale),
    )


def _changed_basis(valued: Valued) -> Sequence[int]:
    ledger = valued.ledger
    changed = changed_basis(ledger.holdings, valued.values, ledger.accounts)
    count = np.bincount(ledger.holdings.account[changed], minlength=ledger.accounts.equity.size)
    listed: list[int] = count.tolist()
    return listed


def _daily(past: Past, day: int, prices: Prices) -> Daily:
    changes = {
        one.name: _number(getattr(past.changes, one.name)[day]) for one in fields(past.changes)
    }
    if changes["pnl"] is None:
        return Daily()
    return Daily(
        previous_session=prices.sessions[past.row[day] - 1],
        previous_net_asset_value=_number(past.before[day]),
        pnl=changes["pnl"],
        daily_return=_number(past.daily_return[day]),
        unrealized_change=changes["unrealized_change"],
        realized_pnl=changes["realized"],
        dividend_income=changes["income"],
        repricing=changes["repricing"],
        restated=changes["restated"],
    )


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _columns(values: HoldingValues | AccountValues) -> dict[str, list[Any]]:
    return {one.name: _cells(getattr(values, one.name)) for one in fields(values)}


def _cells(array: npt.NDArray[Any]) -> list[Any]:
    # NaN leaves the arrays as None.
    cells: list[Any] = array.tolist()
    for cell in np.flatnonzero(np.isnan(array)).tolist():
        cells[cell] = None
    return cells
