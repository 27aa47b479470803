"""The sentences a valuation carries beside its numbers, by code."""

from collections.abc import Mapping
from typing import Literal

from risk_engine.domain import Note
from risk_engine.quant.panel import MAX_PRICE_AGE

NoteCode = Literal[
    "carried_at_entry_price",
    "stale_prices",
    "invalid_positions",
    "valuation_basis_changed",
    "opening_before_panel",
    "net_asset_value_not_positive",
]
SENTENCES: Mapping[NoteCode, str] = {
    "carried_at_entry_price": (
        "{count} open position(s) without a market price are carried in net asset value at their "
        "entry price."
    ),
    "stale_prices": (
        "{count} position(s) are valued at the close of an earlier session, at most "
        f"{MAX_PRICE_AGE} sessions old."
    ),
    "invalid_positions": ("{count} position(s) cannot be valued and are left out of every total."),
    "valuation_basis_changed": (
        "{count} position(s) count at their entry price on the opening session and at a market or "
        "sale price since, or the other way round: the change of net asset value since the opening "
        "includes the difference."
    ),
    "opening_before_panel": (
        "The opening session precedes the price panel: cash starts from the stored opening cash, "
        "and splits and dividends before the panel are not seen."
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
