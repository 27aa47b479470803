"""Read prices and corporate actions off the market data panel, for many holdings at once.

Axes: the panel is (sessions, symbols); what is asked and answered is (holdings,). Dates are day
numbers, ascending; a row is an index into sessions, -1 before the first. Closes are raw: a share
count is moved from one session to another by the splits between, never by adjusted prices.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

MAX_PRICE_AGE = 3  # sessions: an older close is no price
# Beyond any quote (a Berkshire A share is under 1e6): more is a fault of the data, not a price.
MAX_PRICE = 1e9
MAX_SPLIT = 1e4
NO_COLUMN = -1


@dataclass(frozen=True, eq=False)
class Panel:
    """Raw closes and corporate actions, (sessions, symbols); `day` is each session's day number.

    `split_ratio` is new shares per old share (1: none); `dividend` is per share before the split of
    the same session (0: none). Both are finite: see `sound_columns`. `close` is NaN where missing.
    Sessions before row `first` are not all there, so no close of theirs stands for one after them.
    """

    day: IntArray
    close: FloatArray
    split_ratio: FloatArray
    dividend: FloatArray
    first: int = 0


@dataclass(frozen=True, eq=False)
class Actions:
    """Splits or dividends as a sorted list: `key` orders them by (column, row)."""

    key: IntArray
    row: IntArray
    amount: FloatArray
    rows: int


def sound_columns(split_ratio: FloatArray, dividend: FloatArray) -> BoolArray:
    """Tell which symbols have usable corporate actions throughout, (symbols,).

    A column with a ratio outside [1/MAX_SPLIT, MAX_SPLIT] or a dividend outside [0, MAX_PRICE], or
    NaN in either, would misstate every share count after it.
    """
    ratios = (split_ratio >= 1 / MAX_SPLIT) & (split_ratio <= MAX_SPLIT)
    dividends = (dividend >= 0) & (dividend <= MAX_PRICE)
    return np.asarray((ratios & dividends).all(axis=0), dtype=np.bool_)


def is_price(close: FloatArray) -> BoolArray:
    """Tell which closes are prices: above zero, and not above MAX_PRICE. NaN is none."""
    return np.asarray((close > 0) & (close <= MAX_PRICE), dtype=np.bool_)


def last_row(day: IntArray, on: IntArray) -> IntArray:
    """Give the row of the last session on or before each day; -1 if there is none."""
    return np.searchsorted(day, on, side="right").astype(np.int64) - 1


def last_close(
    close: FloatArray, column: IntArray, row: IntArray, first: int = 0
) -> tuple[FloatArray, IntArray]:
    """Give the latest close up to `row`, at most MAX_PRICE_AGE sessions older, and its row.

    From `first` on none of before it is taken.
    A close that is no price is skipped. NaN and -1 where there is none, where the column is
    NO_COLUMN and where the row is -1.
    """
    price = np.full(column.shape, np.nan)
    price_row = np.full(column.shape, -1, dtype=np.int64)
    oldest = np.where(row >= first, first, 0)
    for age in range(MAX_PRICE_AGE + 1):
        sought = np.flatnonzero((price_row < 0) & (column >= 0) & (row - age >= oldest))
        candidate = close[row[sought] - age, column[sought]]
        usable = is_price(candidate)
        price[sought[usable]] = candidate[usable]
        price_row[sought[usable]] = row[sought[usable]] - age
    return price, price_row


@dataclass(frozen=True, eq=False)
class Marks:
    """Prices of what has one on some sessions only, as a sorted list like `Actions`.

    `key` orders them by (series, row); a series has `rows` sessions. No price is NaN.
    """

    key: IntArray
    price: FloatArray
    rows: int


NO_SERIES = -1


def last_mark(marks: Marks, series: IntArray, row: IntArray) -> tuple[FloatArray, IntArray]:
    """Give the latest price up to `row`, however old it is, and its row; NaN and -1 if none."""
    base = series * marks.rows
    place = np.searchsorted(marks.key, base + row, side="right") - 1
    return _mark(marks, place, (base, base + row), (series >= 0) & (row >= 0))


def first_mark(
    marks: Marks, series: IntArray, row: IntArray, until: IntArray
) -> tuple[FloatArray, IntArray]:
    """Give the first price from `row` to `until`, and its row; NaN and -1 if there is none."""
    base = series * marks.rows
    place = np.searchsorted(marks.key, base + row, side="left")
    return _mark(marks, place, (base + row, base + until), (series >= 0) & (row >= 0))


def _mark(
    marks: Marks, place: IntArray, bounds: tuple[IntArray, IntArray], asked: BoolArray
) -> tuple[FloatArray, IntArray]:
    price, row = np.full(place.shape, np.nan), np.full(place.shape, -1, dtype=np.int64)
    some = np.flatnonzero(asked & (place >= 0) & (place < marks.key.size))
    key = marks.key[place[some]]
    within = (key >= bounds[0][some]) & (key <= bounds[1][some])
    some, key = some[within], key[within]
    price[some], row[some] = marks.price[place[some]], key % marks.rows
    return price, row


def actions(table: FloatArray, *, idle: float) -> Actions:
    """List the cells of a (sessions, symbols) table that differ from `idle`."""
    column, row = np.nonzero((table != idle).T)
    rows = table.shape[0]
    return Actions(column * rows + row, row, table[row, column], rows)


def split_factor(splits: Actions, column: IntArray, after: IntArray, until: IntArray) -> FloatArray:
    """Give shares at `until` per share at `after`: the product of the ratios in (after, until].

    1 where there are none, where until <= after and where the column is NO_COLUMN.
    """
    holding, action = _pairs(splits, column, after, until)
    factor = np.ones(column.shape)
    np.multiply.at(factor, holding, splits.amount[action])
    return factor


def dividends_per_share(
    dividends: Actions, splits: Actions, column: IntArray, after: IntArray, until: IntArray
) -> FloatArray:
    """Give the cash paid in (after, until] on one share held since `after`.

    A dividend is paid on the shares of the session before its ex-date, splits until then included.
    """
    holding, action = _pairs(dividends, column, after, until)
    shares = split_factor(splits, column[holding], after[holding], dividends.row[action] - 1)
    return sum_by(holding, shares * dividends.amount[action], column.size)


def sum_by(owner: IntArray, amount: npt.NDArray[np.floating], owners: int) -> FloatArray:
    """Add amounts up by owner, in the order given, (owners,); 0 for an owner of nothing."""
    return np.asarray(np.bincount(owner, amount, minlength=owners), dtype=np.float64)


def restated_close(
    panel: Panel, splits: Actions, column: IntArray, row: IntArray
) -> tuple[FloatArray, IntArray]:
    """Give `last_close` per share as of `row`, and the row it was made on.

    A close made before a split is divided by the split's ratio.
    """
    price, price_row = last_close(panel.close, column, row, panel.first)
    since = np.where(price_row < 0, row, price_row)
    return price / split_factor(splits, column, since, row), price_row


def restated_known_close(
    panel: Panel, splits: Actions, column: IntArray, row: IntArray
) -> tuple[FloatArray, IntArray]:
    """Give the latest close up to `row`, however old, as `restated_close` gives a recent one."""
    price, price_row = np.full(column.shape, np.nan), np.full(column.shape, -1, dtype=np.int64)
    asked = np.flatnonzero((column >= 0) & (row >= 0))
    columns, place = np.unique(column[asked], return_inverse=True)
    rows = np.arange(len(panel.day))[:, None]
    made_on = np.where(is_price(panel.close[:, columns]) & (rows >= panel.first), rows, -1)
    price_row[asked] = np.maximum.accumulate(made_on, axis=0)[row[asked], place]
    found = np.flatnonzero(price_row >= 0)
    since = price_row[found]
    shares = split_factor(splits, column[found], since, row[found])
    price[found] = panel.close[since, column[found]] / shares
    return price, price_row


def _pairs(
    listed: Actions, column: IntArray, after: IntArray, until: IntArray
) -> tuple[IntArray, IntArray]:
    # (holding, action) for every action a holding lives through, in session order per holding.
    base = column * listed.rows
    first = np.searchsorted(listed.key, base + after, side="right")
    end = np.searchsorted(listed.key, base + until, side="right")
    count = np.where(column >= 0, np.maximum(end - first, 0), 0)
    holding = np.repeat(np.arange(column.size), count)
    before = np.cumsum(count) - count
    action = np.arange(holding.size) - before[holding] + first[holding]
    return holding, action
