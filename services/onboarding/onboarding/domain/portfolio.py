"""What a portfolio must be, and the ids of a portfolio and its positions.

Deterministic ids are those of the original, so that the same user, name and book get the same ids
in every installation. They are extended only where one (symbol, entry date) has several lots.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import NAMESPACE_DNS, UUID, uuid4, uuid5

from onboarding.domain.cells import decimals
from onboarding.domain.codes import Code
from onboarding.domain.faults import Fault, fault
from onboarding.domain.positions import ACCOUNT_CURRENCY, InvestmentClass, PositionRow

MAX_NAME_CHARACTERS = 255
MAX_DESCRIPTION_CHARACTERS = 1_000
MAX_EQUITY = Decimal(1_000_000_000_000)
MAX_EQUITY_DECIMALS = 2

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class PortfolioDetails:
    """A portfolio's name, description (None if blank) and equity balance in dollars."""

    name: str
    description: str | None
    equity_balance: Decimal


def check_portfolio(
    name: str, description: str | None, equity_balance: Decimal
) -> PortfolioDetails | tuple[Fault, ...]:
    """Return the details trimmed, or every fault of them."""
    name, description = name.strip(), (description or "").strip()
    faults = (
        *_name_faults(name),
        *_description_faults(description),
        *equity_faults(equity_balance),
    )
    return faults or PortfolioDetails(name, description or None, equity_balance)


def equity_faults(equity: Decimal) -> tuple[Fault, ...]:
    """Return every fault of an account's net liquidation value in dollars; none if it is one."""
    field, value, faults = "equity_balance", str(equity), list[Fault]()
    if not equity.is_finite():
        return (fault(Code.ERR_PORT_011, field=field, value=value),)
    if equity == 0:
        faults.append(fault(Code.ERR_PORT_004, field=field, value=value))
    if equity < 0:
        faults.append(fault(Code.ERR_PORT_005, field=field, value=value))
    if equity > MAX_EQUITY:
        faults.append(fault(Code.ERR_PORT_006, field=field, value=value))
    if decimals(equity) > MAX_EQUITY_DECIMALS:
        faults.append(fault(Code.ERR_PORT_010, field=field, value=value))
    return tuple(faults)


def portfolio_id(user_id: UUID, name: str, *, deterministic: bool) -> UUID:
    """Return the id of the user's portfolio of this name: random, or always the same."""
    return uuid5(NAMESPACE_DNS, f"{user_id}:{name.strip()}") if deterministic else uuid4()


def position_ids(
    portfolio: UUID, positions: Sequence[PositionRow], *, deterministic: bool
) -> tuple[UUID, ...]:
    """Return an id for each position, in their order: random, or the same for the same book.

    Of several lots with one symbol and entry date, the first in a fixed order (others before
    options, long before short) has the plain id, and each further one's id names what differs, so
    the order of the rows does not matter.
    """
    if not deterministic:
        return tuple(uuid4() for _ in positions)
    lots = defaultdict(list)
    for index, position in enumerate(positions):
        lots[position.symbol, position.entry_date].append((_distinction(position), index))
    names: dict[int, str] = {}
    for (symbol, entry_date), sharing in lots.items():
        plain = f"{portfolio}:{symbol}:{entry_date.isoformat()}"
        for place, ((_, label), index) in enumerate(sorted(sharing)):
            names[index] = f"{plain}:{label}" if place else plain
    return tuple(uuid5(NAMESPACE_DNS, names[index]) for index in range(len(positions)))


def _distinction(position: PositionRow) -> tuple[bool, str]:
    label = [str(position.position_type)]  # long types sort before short ones
    is_option = position.investment_class is InvestmentClass.OPTIONS
    if is_option:
        label += [
            str(position.underlying_symbol),
            str(position.expiration_date),
            str(position.strike_price),
        ]
    # Of lots in dollars the name stays what it was before there were others.
    if position.currency != ACCOUNT_CURRENCY:
        label.append(position.currency)
    return is_option, ":".join(label)


def _name_faults(name: str) -> list[Fault]:
    field, faults = "portfolio_name", []
    if not name:
        faults.append(fault(Code.ERR_PORT_002, field=field))
    if len(name) > MAX_NAME_CHARACTERS:
        message = f"The name has {len(name)} characters; the limit is {MAX_NAME_CHARACTERS}."
        faults.append(fault(Code.ERR_PORT_003, message, field=field, value=name))
    if _CONTROL.search(name):
        faults.append(fault(Code.ERR_PORT_012, field=field, value=name))
    return faults


def _description_faults(description: str) -> list[Fault]:
    field, faults = "description", []
    if len(description) > MAX_DESCRIPTION_CHARACTERS:
        message = (
            f"The description has {len(description)} characters; "
            f"the limit is {MAX_DESCRIPTION_CHARACTERS:,}."
        )
        faults.append(fault(Code.ERR_PORT_009, message, field=field, value=description))
    if _CONTROL_IN_TEXT.search(description):
        faults.append(fault(Code.ERR_PORT_012, field=field, value=description))
    return faults
