"""The first engine: what each account and each of its positions is worth at a session's close."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import numpy as np

from risk_engine.domain import (
    Book,
    Coverage,
    Failure,
    PositionState,
    PositionValue,
    Prices,
    Status,
    Totals,
    Valuation,
)
from risk_engine.engine.ledger import (
    MAX_AMOUNT,
    TOO_LARGE,
    Ledger,
    Line,
    lay_out,
    refusal,
    without,
)
from risk_engine.engine.notes import notes
from risk_engine.quant.panel import BoolArray
from risk_engine.quant.valuation import (
    AccountValues,
    HoldingValues,
    value_accounts,
    value_holdings,
)

MODEL_VERSION: Final = "valuation-2"
# Less than half a cent is nothing: no fraction of it is stated.
LEAST_AMOUNT = 0.005


@dataclass(frozen=True, eq=False)
class Valued:
    """Books as arrays, and what their holdings and accounts are worth."""

    ledger: Ledger
    values: HoldingValues
    accounts: AccountValues


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


def value(
    books: Sequence[Book], prices: Prices, as_of: date, opening_cash: Mapping[UUID, Decimal]
) -> Valued:
    """Value books that `refusal` lets pass, as arrays."""
    ledger = lay_out(books, prices, as_of, opening_cash)
    values = value_holdings(ledger.panel, ledger.holdings, ledger.accounts, as_of.toordinal())
    too_large = _too_large(values)
    if too_large.any():
        ledger = without(ledger, too_large, TOO_LARGE)
        values = value_holdings(ledger.panel, ledger.holdings, ledger.accounts, as_of.toordinal())
    return Valued(ledger, values, value_accounts(ledger.holdings, values, ledger.accounts))


def valuations(
    valued: Valued, books: Sequence[Book], prices: Prices, as_of: date
) -> list[Valuation]:
    """Say in the domain's words what `value` found of the same books."""
    ledger, values = valued.ledger, valued.values
    changed_basis = _changed_basis(ledger, values)
    holding, account = _columns(values), _columns(valued.accounts)
    answers = []
    for row, book in enumerate(books):
        totals = _totals(account, row)
        nav = totals.net_asset_value if totals.net_asset_value >= LEAST_AMOUNT else None
        positions = tuple(
            _position_value(line, nav, holding, prices, as_of) for line in ledger.lines[row]
        )
        coverage = _coverage(positions, account["priced_share"][row])
        complete = book.opening_session >= prices.sessions[0]
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
                status=_status(coverage, changed_basis[row], complete=complete),
                totals=totals,
                coverage=coverage,
                positions=positions,
                notes=notes(
                    {
                        "carried_at_entry_price": coverage.carried_positions,
                        "stale_prices": coverage.stale_positions,
                        "invalid_positions": coverage.invalid_positions,
                        "valuation_basis_changed": changed_basis[row] if complete else 0,
                        "opening_before_panel": int(not complete),
                        "net_asset_value_not_positive": int(nav is None),
                    }
                ),
            )
        )
    return answers


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
        )
    state: PositionState = "open"
    if holding["pending"][row]:
        state = "pending"
    elif holding["closed"][row]:
        state = "closed"
    carried: bool = holding["carried"][row]
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
        reason=line.reason if carried else ("not_yet_open" if state == "pending" else None),
        stale=priced_on is not None and priced_on < as_of,
        quantity=float(position.quantity) * factor,
        multiplier=float(position.multiplier),
        split_factor=factor,
        entry_price=float(position.entry_price) / factor,
        market_price=holding["price"][row],
        price_session=priced_on,
        market_value=holding["market_value"][row],
        cost_basis=cost,
        unrealized_pnl=pnl,
        unrealized_pnl_percent=None
        if pnl is None or abs(cost) < LEAST_AMOUNT
        else 100 * pnl / abs(cost),
        realized_pnl=holding["realized_pnl"][row],
        dividend_income=holding["dividend_income"][row],
        weight=holding["value"][row] / nav if nav is not None and state == "open" else None,
        carried_value=cost if carried else None,
        carried_at="entry_price" if carried else None,
    )


def _coverage(positions: Sequence[PositionValue], priced_share: float | None) -> Coverage:
    states = Counter(one.state for one in positions)
    held = [one for one in positions if one.state == "open"]
    priced = [one for one in held if one.market_value is not None]
    return Coverage(
        open_positions=len(held),
        market_positions=sum(one.investment_class != "PRIVATE" for one in held),
        priced_positions=len(priced),
        stale_positions=sum(one.stale for one in priced),
        carried_positions=len(held) - len(priced),
        closed_positions=states["closed"],
        pending_positions=states["pending"],
        invalid_positions=states["invalid"],
        priced_share=priced_share,
    )


def _status(coverage: Coverage, changed_basis: int, *, complete: bool) -> Status:
    # Private assets are carried by design and do not make a valuation partial.
    if coverage.market_positions > 0 and coverage.priced_positions == 0:
        return "insufficient"
    unpriced = coverage.market_positions - coverage.priced_positions
    if unpriced or coverage.invalid_positions or changed_basis or not complete:
        return "partial"
    return "stale" if coverage.stale_positions else "ok"


def _too_large(values: HoldingValues) -> BoolArray:
    # The book's own amounts were judged when it was laid out; these are the market's.
    amounts = np.array(
        [values.value, values.opening_value, values.trade_flow, values.dividend_income]
    )
    return np.asarray((np.abs(amounts) > MAX_AMOUNT).any(axis=0), dtype=np.bool_)


def _changed_basis(ledger: Ledger, values: HoldingValues) -> Sequence[int]:
    # Priced by now: by the market, or by the sale, unless it is carried. Of private assets nothing
    # but the stated value is expected until they are sold.
    changed = values.open_at_opening & (values.opening_priced == values.at_cost)
    changed &= ledger.holdings.expects_price
    count = np.bincount(ledger.holdings.account[changed], minlength=ledger.accounts.equity.size)
    listed: list[int] = count.tolist()
    return listed


def _columns(values: HoldingValues | AccountValues) -> dict[str, list[Any]]:
    # NaN leaves the arrays as None.
    columns: dict[str, list[Any]] = {}
    for one in fields(values):
        array = getattr(values, one.name)
        cells = array.tolist()
        unknown = np.flatnonzero(np.isnan(array)).tolist()
        for cell in unknown:
            cells[cell] = None
        columns[one.name] = cells
    return columns
