"""The sentences a valuation carries beside its numbers, by code."""

from collections.abc import Mapping
from typing import Literal

from risk_engine.domain import Note
from risk_engine.quant.panel import MAX_PRICE_AGE

NoteCode = Literal[
    "carried_at_entry_price",
    "carried_at_last_price",
    "modelled_prices",
    "options_settled",
    "stale_prices",
    "unsupported_currency",
    "invalid_positions",
    "valuation_basis_changed",
    "repriced",
    "opening_before_panel",
    "net_asset_value_not_positive",
]
SENTENCES: Mapping[NoteCode, str] = {
    "carried_at_entry_price": (
        "{count} open position(s) that never had a market price are carried in net asset value at "
        "their entry price."
    ),
    "carried_at_last_price": (
        "{count} open position(s) without a market price are carried in net asset value at the "
        "last price they had: see price_session and price_age of each."
    ),
    "modelled_prices": (
        "{count} option(s) without a quote are valued by the model, at an estimated volatility; "
        "the difference to a quote that comes later is a gain or loss of that session."
    ),
    "options_settled": (
        "{count} option(s) have expired and were settled in cash at intrinsic value. Where shares "
        "were delivered instead, the book must say so: net asset value is the same on that day."
    ),
    "stale_prices": (
        "{count} position(s) are valued at the close of an earlier session, at most "
        f"{MAX_PRICE_AGE} sessions old."
    ),
    "unsupported_currency": (
        "{count} position(s) are in another currency than dollars, and no exchange rates are "
        "known: they are listed without amounts and left out of every total. What they were worth "
        "at the opening, or paid for later, still counts as cash."
    ),
    "invalid_positions": ("{count} position(s) cannot be valued and are left out of every total."),
    "valuation_basis_changed": (
        "{count} position(s) count at their entry price on the opening session and at a market or "
        "sale price since, or the other way round: the change of net asset value since the opening "
        "includes the difference."
    ),
    "repriced": (
        "Positions got a market price or lost it: the change of net asset value from that is shown "
        "as repricing, and is no part of the session's profit and return."
    ),
    "opening_before_panel": (
        "The opening session precedes the price panel, and not all splits and dividends of what is "
        "held are known from before it: cash, quantities and net asset value may lack some."
    ),
    "net_asset_value_not_positive": ("Net asset value is not positive, so weights are not stated."),
}


def notes(counts: Mapping[NoteCode, int]) -> tuple[Note, ...]:
    """Give a note for every code with a count above zero, in the order of SENTENCES."""
    return tuple(
        Note(code, sentence.format(count=counts[code]))
        for code, sentence in SENTENCES.items()
        if counts[code] > 0
    )
