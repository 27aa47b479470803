"""What is calculated of option contracts, each once for all the chunks that hold it.

It depends on the contract's terms and market alone, so those are its digest.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from risk_engine.engine.memo import Columns, Memo
from risk_engine.quant.greeks import price_and_greeks
from risk_engine.quant.panel import BoolArray, IntArray
from risk_engine.quant.pricing import Greeks, Options
from risk_engine.quant.revaluation import RevaluationGrid, revaluation_grid
from risk_engine.quant.stressed_prices import StressedPrices, stressed_prices

_OPTIONS = "options."


def greeks_of(memo: Memo, options: Options, american: BoolArray) -> Greeks:
    """Return `price_and_greeks` of options."""

    def made(rows: IntArray) -> Columns:
        return vars(price_and_greeks(options.part(rows), american[rows]))

    return Greeks(**memo.rows("greeks", b"", _terms(options, american), made))


def grid_of(memo: Memo, options: Options, american: BoolArray) -> RevaluationGrid:
    """Return the `revaluation_grid` of options, a day later."""

    def made(rows: IntArray) -> Columns:
        return _columns(revaluation_grid(options.part(rows), american[rows]))

    return _grid(memo.rows("revaluation", b"", _terms(options, american), made))


def stressed_prices_of(
    memo: Memo, options: Options, american: BoolArray, on_future: BoolArray
) -> StressedPrices:
    """Return the `stressed_prices` of options."""

    def made(rows: IntArray) -> Columns:
        prices = stressed_prices(options.part(rows), american[rows], on_future[rows])
        return {"premium": prices.premium}

    columns = memo.rows("stressed prices", b"", _terms(options, american, on_future), made)
    return StressedPrices(options, american, on_future, columns["premium"])


def _terms(options: Options, *marks: BoolArray) -> Sequence[bytes]:
    terms = (getattr(options, one.name) for one in fields(Options))
    table = np.column_stack([np.asarray(one, dtype=np.float64) for one in (*terms, *marks)])
    return [row.tobytes() for row in table]


def _columns(grid: RevaluationGrid) -> Columns:
    own = {name: values for name, values in vars(grid).items() if name != "options"}
    return own | {_OPTIONS + name: values for name, values in vars(grid.options).items()}


def _grid(columns: Columns) -> RevaluationGrid:
    def named(kind: type[Any], before: str) -> dict[str, Any]:
        return {
            one.name: columns[before + one.name]
            for one in fields(kind)
            if before + one.name in columns
        }

    options = Options(**named(Options, _OPTIONS))
    return RevaluationGrid(options=options, **named(RevaluationGrid, ""))
