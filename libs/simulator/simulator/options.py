"""Listed options: which contracts there are, and what they are quoted at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common import calendar
from simulator import draws
from simulator.draws import Floats

Right = Literal["call", "put"]

_MONTHS = (1, 2, 3, 4, 5, 6, 9, 12, 15, 18, 24)
"""Which of the months to come have expiries."""
_STRIKES_EACH_SIDE = 16
_REACH = 3.5
"""Standard deviations to expiry that the outermost strikes are away, at most."""
_STEPS = (
    *((0.1, 0.01), (1, 0.1), (10, 0.5), (30, 1.0)),
    *((100, 2.5), (250, 5.0), (1_000, 10.0), (np.inf, 25.0)),
)
"""US dollars: below the first, strikes are the second apart."""
_PENNY = 0.01
_YEAR = 365.0


class Contract(NamedTuple):
    """One option on one share (listed contracts are of a hundred)."""

    underlying: str
    expiry: date
    strike: float
    right: Right


@dataclass(frozen=True, slots=True, eq=False)
class Quotes:
    """Contracts at the close of a session, one after the other. US dollars per share."""

    contracts: tuple[Contract, ...]
    bid: Floats
    ask: Floats
    open_interest: NDArray[np.int64]
    """Contracts."""
    volume: NDArray[np.int64]
    """Contracts."""
    underlying_price: Floats
    """Of the share or index; of the future, for options on the volatility index."""


@dataclass(frozen=True, slots=True, eq=False)
class Valued:
    """The truth behind quotes."""

    implied_volatility: Floats
    """Per year, a decimal."""
    price: Floats
    """Between bid and ask."""
    years: Floats
    """To expiry, ACT/365 from close to close."""
    underlying_price: Floats
    """What it is on: see `Quotes`."""


def expiries(session: date) -> tuple[date, ...]:
    """Return when the options listed on a session expire: third Fridays, or the session before."""
    months = [_month_after(session.replace(day=1), ahead) for ahead in (0, *_MONTHS)]
    listed = [_third_friday(first) for first in months if first < calendar.LAST_DAY]
    return tuple(expiry for expiry in listed if expiry > session)


def can_be_open(contract: Contract, session: date) -> bool:
    """Say whether a contract makes sense and has not expired at a session's close."""
    return (
        session < contract.expiry <= calendar.LAST_DAY
        and calendar.is_session(contract.expiry)
        and 0 < contract.strike < np.inf
    )


def years_to(expiry: date, session: date) -> float:
    """Return the time from one session's close to another's, ACT/365."""
    return (calendar.close_of(expiry) - calendar.close_of(session)) / timedelta(days=_YEAR)


def strikes(spot: float, volatility: float, years: float) -> list[float]:
    """Return the strikes listed around a price of a cent at least, lowest first.

    They are multiples of steps that depend on the strike alone, so that yesterday's strikes are
    mostly today's. The first is at the price or below, the last above it.
    """
    reach = max(_REACH * volatility * np.sqrt(years), 0.1)
    lowest, highest = spot * np.exp(-reach), spot * np.exp(reach)
    below = [_at_or_below(spot)]
    while (strike := _below(below[-1])) >= max(lowest, _PENNY) and len(below) < _STRIKES_EACH_SIDE:
        below.append(strike)
    above = [_above(spot)]
    while (strike := _above(above[-1])) <= highest and len(above) < _STRIKES_EACH_SIDE:
        above.append(strike)
    return [*reversed(below), *above]


def quote(
    seed: int, session: date, contracts: Sequence[Contract], valued: Valued, liquidity: float
) -> Quotes:
    """Return what is bid and asked around the true prices; `liquidity` is 1 for the index.

    Both grow with the price, so that a quoted spread of strikes costs at least what the true one
    does to whoever crosses it.
    """
    half_spread = (0.01 + 0.004 * valued.price) * (1 + 3 * (1 - liquidity))
    tick = np.where(valued.price < 3, 0.01, 0.05)
    bid = np.maximum(np.floor((valued.price - half_spread) / tick + 1e-9) * tick, 0.0)
    ask = np.ceil((valued.price + half_spread) / tick - 1e-9) * tick
    chances = np.array(
        [draws.normals(seed, f"interest/{_occ(contract)}", 1, 2)[0] for contract in contracts]
    ).reshape(len(contracts), 2)
    strike = np.array([contract.strike for contract in contracts])
    usual = 4_000 * liquidity**2 * np.exp(-valued.years - 8 * valued.price / strike)
    interest = usual * np.exp(chances[:, 0])
    traded = 0.15 * interest * np.exp(0.7 * chances[:, 1])
    return Quotes(
        contracts=tuple(contracts),
        bid=np.round(bid, 2),
        ask=np.round(ask, 2),
        open_interest=np.rint(interest).astype(np.int64),
        volume=np.rint(traded).astype(np.int64),
        underlying_price=valued.underlying_price,
    )


def _occ(contract: Contract) -> str:
    right = "C" if contract.right == "call" else "P"
    return f"{contract.underlying}{contract.expiry:%y%m%d}{right}{contract.strike:09.3f}"


def _third_friday(first: date) -> date:
    friday = first + timedelta(days=(4 - first.weekday()) % 7 + 14)
    return friday if calendar.is_session(friday) else calendar.sessions(first, friday)[-1]


def _month_after(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


def _step(price: float) -> float:
    return next(step for below, step in _STEPS if price < below)


def _at_or_below(price: float) -> float:
    step = _step(price)
    return round(float(np.floor(price / step + 1e-9) * step), 2)


def _below(price: float) -> float:
    step = _step(price - 1e-9)
    return round(float((np.ceil(price / step - 1e-9) - 1) * step), 2)


def _above(price: float) -> float:
    step = _step(price + 1e-9)
    return round(float((np.floor(price / step + 1e-9) + 1) * step), 2)
