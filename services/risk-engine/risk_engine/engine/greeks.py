"""How each book reacts: Greeks per share and per position, and what they add up to.

Options are as `engine.options` priced them. What is no option has a delta of one and nothing else;
private assets stand beside the totals, as no market moves them from day to day.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np

from risk_engine.domain import PositionValue, Status
from risk_engine.engine.amounts import Amounts, amounts_of, share_of
from risk_engine.engine.frame import NO_CONTRACT, Frame
from risk_engine.engine.options import Contracts
from risk_engine.engine.results import Answer, EngineResult, table
from risk_engine.engine.underlyings import NO_UNDERLYING
from risk_engine.quant.panel import BoolArray, FloatArray, IntArray, sum_by
from risk_engine.quant.pricing import dividend_value

MODEL_VERSION: Final = "greeks-4"

SHARES_OF: Final = "gross value of open positions: |market value|, carried ones at |entry value|"

Kind = Literal["security", "option", "private"]
NoteCode = Literal[
    "unmodelled_options",
    "expired_options",
    "unpriced_securities",
    "estimated_volatility",
    "quote_too_wide",
    "quote_at_exercise",
    "volatility_from_last_quote",
    "volatility_from_other_contracts",
    "default_rate",
    "no_dividend_yield",
    "default_borrow_cost",
    "private_assets",
]
SENTENCES: Final[Mapping[NoteCode, str]] = {
    "unmodelled_options": (
        "{count} option position(s) could not be modelled and are in no total: see their reason."
    ),
    "expired_options": "{count} option position(s) have expired: nothing moves them any more.",
    "unpriced_securities": (
        "{count} position(s) that are no options have no market price: they stand in the totals at "
        "what they are carried at."
    ),
    "estimated_volatility": (
        "{count} option position(s) have no usable quote: their volatility is estimated from the "
        "underlying's last 63 sessions, marked up by a tenth."
    ),
    "quote_too_wide": (
        "{count} option position(s) have a quote whose bid and ask are too far apart for their "
        "middle to be a price: it is not used."
    ),
    "quote_at_exercise": (
        "{count} option position(s) are quoted at no more than their exercise brings, which "
        "implies no volatility: it is estimated, and hardly matters."
    ),
    "volatility_from_last_quote": (
        "{count} option position(s) have no usable quote: their volatility is what their own "
        "implied at most three sessions before."
    ),
    "volatility_from_other_contracts": (
        "{count} option position(s) have no quote: their volatility is read off the book's other "
        "contracts on the same underlying."
    ),
    "default_rate": "{count} option position(s) are discounted at 4 %: no rates were known.",
    "no_dividend_yield": (
        "{count} option position(s) are on something whose dividends are not known: none is "
        "assumed."
    ),
    "default_borrow_cost": (
        "{count} option position(s) are on a share or fund whose cost of borrowing is assumed to "
        "be 0.3 % a year."
    ),
    "private_assets": "{count} private asset(s) stand beside the totals.",
}

_PER_SHARE: Final = ("delta", "gamma", "theta", "vega", "rho")


def calculate(frame: Frame) -> list[Answer]:
    """Return the Greeks of each book, in order."""
    amounts = amounts_of(frame, frame.return_histories)
    return [_greeks(frame, amounts, account) for account in range(len(frame.books))]


def _greeks(frame: Frame, amounts: Amounts, account: int) -> EngineResult:
    exposures, contracts = frame.exposures, frame.contracts
    known = {one.position_id: one for one in frame.valuations[account].positions}
    lines = [
        (line.row, known[line.position.id])
        for line in frame.valued.ledger.lines[account]
        if line.row is not None and exposures.is_open[line.row]
    ]
    row = np.array([row for row, _ in lines], dtype=np.int64)
    positions = [position for _, position in lines]
    contract, underlying = exposures.contract[row], exposures.underlying[row]
    is_option = exposures.is_option[row]
    is_private = np.array([one.investment_class == "PRIVATE" for one in positions], dtype=np.bool_)
    per_share = _per_share(contracts, contract, is_option=is_option)
    units = exposures.quantity[row] * exposures.multiplier[row]
    held = {name: units * values for name, values in per_share.items()}
    held["dollar_delta"] = exposures.dollar_delta[row]
    held["dollar_gamma"] = exposures.dollar_gamma[row]
    modelled = np.isfinite(held["dollar_delta"])
    value = np.abs(exposures.value[row])
    reasons = _reasons(contracts, contract, is_option)
    flags = [contracts.flags[one] if one != NO_CONTRACT else () for one in contract.tolist()]
    sources = _column(contracts.volatility_source, contract)
    stale = np.array([one.stale for one in positions], dtype=np.bool_)
    unpriced = np.array([one.carried_at is not None for one in positions], dtype=np.bool_)
    unpriced &= ~is_private & ~is_option
    notes = Counter[NoteCode](flag for of_one in flags for flag in of_one)
    notes["unmodelled_options"] = int((is_option & ~modelled).sum())
    notes["unpriced_securities"] = int(unpriced.sum())
    notes["expired_options"] = reasons.count("expired")
    notes["volatility_from_last_quote"] = sources.count("last_quote")
    notes["volatility_from_other_contracts"] = sources.count("surface")
    notes["quote_too_wide"] = _column(contracts.quote_use, contract).count("too_wide")
    notes["private_assets"] = int(is_private.sum())
    return EngineResult(
        status=_status(is_option, modelled, notes, stale),
        payload={
            "totals": _totals(held, is_option, is_private),
            "by_underlying": _by_underlying(frame, underlying, held, modelled & ~is_private),
            "positions": table(
                **_who(frame, positions, underlying, is_option, is_private),
                quantity=exposures.quantity[row],
                multiplier=exposures.multiplier[row],
                **_terms(contracts, contract),
                underlying_price=_underlying_price(frame, contract, row, units),
                **per_share,
                **{f"position_{name}": held[name] for name in _PER_SHARE},
                dollar_delta=held["dollar_delta"],
                dollar_gamma=held["dollar_gamma"],
                flags=[list(of_one) for of_one in flags],
                reason=reasons,
            ),
            "coverage": {
                "open_positions": len(positions),
                "option_positions": int(is_option.sum()),
                "modelled_option_positions": int((is_option & modelled).sum()),
                "shares_of": SHARES_OF,
                "modelled_share": _share(value, modelled & ~is_private),
                "estimated_share": _share(
                    value, np.array([one in {"surface", "estimated"} for one in sources], bool)
                ),
                "private_share": _share(value, is_private),
                "stale_share": _share(value, stale),
            },
            "quality": amounts.quality(account, float(frame.net_asset_value[account])),
            "notes": [
                {"code": code, "message": sentence.format(count=notes[code])}
                for code, sentence in SENTENCES.items()
                if notes[code]
            ],
        },
    )


def _per_share(
    contracts: Contracts, contract: IntArray, *, is_option: BoolArray
) -> dict[str, FloatArray]:
    """Return the Greeks per share: the model's for an option, those of a share for the rest."""
    of_share = {name: 1.0 if name == "delta" else 0.0 for name in _PER_SHARE}
    return {
        name: np.where(
            is_option, np.append(getattr(contracts.greeks, name), np.nan)[contract], of_share[name]
        )
        for name in _PER_SHARE
    }


def _totals(
    held: Mapping[str, FloatArray], is_option: BoolArray, is_private: BoolArray
) -> dict[str, float]:
    """Return sums over what is known; NaN where there is something to sum and none of it is."""

    def total(name: str, among: BoolArray) -> float:
        values = held[name][among]
        known = np.isfinite(values)
        return float(values[known].sum()) if known.any() or not values.size else float("nan")

    return {
        "dollar_delta": total("dollar_delta", ~is_private),
        "dollar_delta_of_options": total("dollar_delta", is_option),
        # What is no option has none of these: it makes no sum known.
        "dollar_gamma": total("dollar_gamma", is_option),
        "vega": total("vega", is_option),
        "theta": total("theta", is_option),
        "rho": total("rho", is_option),
        "private_value": total("dollar_delta", is_private),
    }


def _by_underlying(
    frame: Frame, underlying: IntArray, held: Mapping[str, FloatArray], counted: BoolArray
) -> dict[str, Any]:
    """Return sums over the positions on each underlying, by symbol; delta in its shares."""
    among = counted & (underlying != NO_UNDERLYING)
    distinct, owner = np.unique(underlying[among], return_inverse=True)
    names = ("delta", "gamma", "dollar_delta", "dollar_gamma", "vega", "theta", "rho")
    sums = {name: sum_by(owner, held[name][among], len(distinct)) for name in names}
    return table(
        underlying=[frame.underlyings.keys[one].symbol for one in distinct.tolist()], **sums
    )


def _who(
    frame: Frame,
    positions: Sequence[PositionValue],
    underlying: IntArray,
    is_option: BoolArray,
    is_private: BoolArray,
) -> dict[str, Sequence[Any]]:
    kinds: list[Kind] = [
        "private" if private else "option" if option else "security"
        for private, option in zip(is_private.tolist(), is_option.tolist(), strict=True)
    ]
    return {
        "position_id": [str(one.position_id) for one in positions],
        "symbol": [one.symbol for one in positions],
        "position_type": [one.position_type for one in positions],
        "kind": kinds,
        "underlying": [
            None if one == NO_UNDERLYING else frame.underlyings.keys[one].symbol
            for one in underlying.tolist()
        ],
    }


def _terms(contracts: Contracts, contract: IntArray) -> dict[str, Any]:
    """Return what each option was priced with; null for what is none."""
    terms = contracts.terms
    numbers = {
        "strike": terms.strike,
        "years_to_expiry": terms.years,
        "price": contracts.price,
        "model_price": contracts.greeks.price,
        "volatility": terms.volatility,
        "rate": terms.rate,
        "dividend_yield": terms.dividend_yield,
        "scheduled_dividends": np.where(contracts.on_future, np.nan, dividend_value(terms)),
        "borrow_cost": contracts.borrow_cost,
    }
    styles = [
        "american" if early else "future" if on_future else "european"
        for early, on_future in zip(
            contracts.american.tolist(), contracts.on_future.tolist(), strict=True
        )
    ]
    words: Mapping[str, Sequence[str | None]] = {
        "style": styles,
        "price_source": contracts.price_source,
        "volatility_source": [
            # Frozen without a word of its own for it: a quote's, of whichever session.
            "quote" if source == "last_quote" else source
            for source in contracts.volatility_source
        ],
        "volatility_from": contracts.volatility_source,
        "quote_use": contracts.quote_use,
        "rate_source": contracts.rate_source,
        # Names clients know: before there were declared dividends only a yield had a source.
        "dividend_source": contracts.yield_source,
        "dividends_from": contracts.dividend_source,
    }
    return {name: np.append(values, np.nan)[contract] for name, values in numbers.items()} | {
        name: _column(values, contract) for name, values in words.items()
    }


def _underlying_price(
    frame: Frame, contract: IntArray, row: IntArray, units: FloatArray
) -> FloatArray:
    """Return the price an option was modelled at, what the rest is valued or carried at."""
    exposures = frame.exposures
    spot = np.append(frame.contracts.terms.spot, np.nan)[contract]
    each = np.append(frame.underlyings.price, np.nan)[exposures.underlying[row]]
    np.divide(exposures.value[row], units, out=each, where=units != 0)
    return np.where(exposures.is_option[row], spot, each)


def _reasons(contracts: Contracts, contract: IntArray, is_option: BoolArray) -> list[str | None]:
    return [
        None if not option else "incomplete_terms" if one == NO_CONTRACT else contracts.reason[one]
        for one, option in zip(contract.tolist(), is_option.tolist(), strict=True)
    ]


def _column(values: Sequence[str | None], contract: IntArray) -> list[str | None]:
    return [None if one == NO_CONTRACT else values[one] for one in contract.tolist()]


def _share(value: FloatArray, among: BoolArray) -> float:
    return share_of(float(value[among].sum()), float(value.sum()))


def _status(
    is_option: BoolArray,
    modelled: BoolArray,
    notes: Mapping[NoteCode, int],
    stale: BoolArray,
) -> Status:
    if is_option.any() and not (is_option & modelled).any():
        return "insufficient"
    missing: tuple[NoteCode, ...] = (
        "unmodelled_options",
        "unpriced_securities",
        "estimated_volatility",
    )
    if any(notes[code] for code in missing):
        return "partial"
    return "stale" if stale.any() else "ok"
