"""What all answers share: how numbers are rounded, and what an engine's result says first."""

import math
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from risk_engine.domain import Status


class Answer(BaseModel):
    """A part of an answer: numbers are finite or null."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True)


def _rounded(decimals: int) -> Callable[[float], float]:
    # Adding zero turns -0.0 into 0.0.
    return lambda number: round(number, decimals) + 0.0


Money = Annotated[float, AfterValidator(_rounded(2))]
"""In the book's currency, to the cent."""
Price = Annotated[float, AfterValidator(_rounded(6))]
"""Per share."""
Quantity = Annotated[float, AfterValidator(_rounded(8))]
"""Shares or contracts, signed."""
Number = Annotated[float, AfterValidator(_rounded(8))]
"""A fraction, ratio, beta or statistic: 0.12 is 12 % of something."""
Percent = Annotated[float, AfterValidator(_rounded(4))]
"""12.5 is 12.5 %."""

IN_NO_TOTAL = "Open positions in another currency: listed, and in no total"
WHY_NO_AMOUNTS = "Why nothing is known of it: `unsupported_currency`"


class Engine(Answer):
    """What every engine's result says first; `engine` is a literal in each."""

    status: Status
    as_of: date = Field(description="The NYSE session at whose close this stands")
    panel_version: int
    book_revision: int
    model_version: str
    input_hash: str | None = Field(None, description="Changes when any input of the result does")


def plain(tree: Any) -> Any:
    """Turn a payload, as `engine.results` describes it, into what pydantic reads.

    Arrays become lists, tables lists of records; NaN becomes None.
    """
    if isinstance(tree, dict):
        if tree.keys() == {"table"}:
            return _records(tree["table"])
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [plain(value) for value in tree]
    if isinstance(tree, float):
        return None if math.isnan(tree) else tree
    if hasattr(tree, "tolist"):
        return _cells(tree.tolist())
    return tree


def _records(columns: dict[str, Any]) -> list[dict[str, Any]]:
    cells = [plain(column) for column in columns.values()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*cells, strict=True)]


def _cells(values: Any) -> Any:
    if isinstance(values, list):
        return [_cells(value) for value in values]
    return plain(values)
