"""What each book has at risk: its gains in the scenarios, and the factor model's word on it."""

from dataclasses import dataclass

import numpy as np

from risk_engine.engine.frame import Frame
from risk_engine.engine.risk_model import risk_model
from risk_engine.engine.risk_scenarios import Held, Scenarios, is_flat, position_gains
from risk_engine.quant.components import NormalComponents, normal_components
from risk_engine.quant.factor_risk import Decomposition, Positions, decompose
from risk_engine.quant.panel import FloatArray


@dataclass(frozen=True, eq=False)
class NormalRisk:
    """The factor model's word on all books, in dollars; NaN where it does not know all of one.

    `volatility` is (books,) for each scope; `components` are of the modelled holdings of all books.
    """

    volatility: tuple[FloatArray, FloatArray]
    parts: Decomposition
    components: NormalComponents
    held: Held


class BookAtRisk:
    """One account's holdings and what they gain in the scenarios."""

    def __init__(
        self, frame: Frame, scenarios: Scenarios, held: Held, scale: FloatArray, account: int
    ) -> None:
        mine = held.account == account
        self.frame, self.scenarios, self.account = frame, scenarios, account
        self.everything = held.part(mine)
        self.held = self.everything.part(self.everything.modelled)
        self.scale = scale[mine][self.everything.modelled]
        self.filtered = position_gains(scenarios, self.held, filtered=True)
        self.plain = position_gains(scenarios, self.held, filtered=False)
        self.in_scope = (np.ones_like(self.held.proxied), ~self.held.proxied)
        self.is_flat = is_flat(self.filtered)

    def is_unknown(self, scope: int) -> bool:
        """Tell whether the book holds something, but nothing that the scope's scenarios move."""
        return len(self.everything.row) > 0 and not self.in_scope[scope].any()


def normal_risk_of(frame: Frame, held: Held) -> NormalRisk:
    """Return what the factor model says of all books' risk, and of each holding's part in it."""
    model, books = risk_model(frame.factor_model), len(frame.books)
    modelled = held.part(held.modelled)
    decomposed, volatility = [], []
    for some in (modelled, modelled.part(~modelled.proxied)):
        parts = decompose(Positions(some.account, some.underlying, some.sensitivity), model, books)
        unknown = np.bincount(some.account[~model.known[some.underlying]], minlength=books)
        empty = np.bincount(some.account, minlength=books) == 0
        deviation = np.sqrt(np.where(empty, 0.0, parts.variance))
        volatility.append(np.where(unknown > 0, np.nan, deviation))
        decomposed.append(parts)
    components = normal_components(decomposed[0], modelled.dollar_delta, modelled.account)
    return NormalRisk((volatility[0], volatility[1]), decomposed[0], components, modelled)
