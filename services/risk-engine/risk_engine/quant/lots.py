"""Match sales with purchases, and keep what is left: lots of many instruments at once.

Axes: trades are (trades,), lots (lots,). Quantities are signed (sales and shorts negative) and of
one share count: whoever calls restates them by the splits between. Money is quantity x price.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from risk_engine.quant.panel import FloatArray, IntArray

LotMethod = Literal["fifo", "lifo", "hifo", "average"]


@dataclass(frozen=True, eq=False)
class Lots:
    """What is still held, (lots,), by instrument and then by age; a short lot is negative.

    `trade` is the trade that opened the lot: of an average, the first one it is made of.
    """

    instrument: IntArray
    quantity: FloatArray
    price: FloatArray
    trade: IntArray


@dataclass(slots=True)
class _Lot:
    trade: int
    quantity: float
    price: float


# Of lots from the oldest to the youngest, which one is closed first. HIFO is the lot with the
# least gain: bought dearest, or sold short cheapest. Of equals the oldest goes.
_NEXT: Mapping[LotMethod, Callable[[list[_Lot]], int]] = {
    "fifo": lambda lots: 0,
    "lifo": lambda lots: len(lots) - 1,
    "hifo": lambda lots: max(
        range(len(lots)), key=lambda n: (np.sign(lots[n].quantity) * lots[n].price, -n)
    ),
    "average": lambda lots: 0,
}


def match_lots(
    instrument: IntArray, quantity: FloatArray, price: FloatArray, method: LotMethod = "fifo"
) -> tuple[FloatArray, Lots]:
    """Give the profit each trade realised, (trades,), and the lots left after the last.

    Trades are in the order in which they were made; those of 0 do nothing. A trade against what is
    held closes lots, first in first out, last in first out, highest cost first or at their average
    cost; what it has left over opens a lot of the other sign. A trade that closes nothing realises
    0. Profit is positive: of a short, sold minus bought back.

    Raises:
        ValueError: a quantity or price is NaN or infinite.
    """
    if not (np.isfinite(quantity).all() and np.isfinite(price).all()):
        raise ValueError("a trade needs a quantity and a price")
    realized = np.zeros(len(quantity))
    held: dict[int, list[_Lot]] = {}
    trades = zip(instrument.tolist(), quantity.tolist(), price.tolist(), strict=True)
    for trade, (name, amount, paid) in enumerate(trades):
        lots = held.setdefault(name, [])
        realized[trade], left = _close(lots, amount, paid, method)
        if left != 0:
            _open(lots, _Lot(trade, left, paid), method)
    return realized, _lots(held)


def _close(
    lots: list[_Lot], quantity: float, price: float, method: LotMethod
) -> tuple[float, float]:
    realized = 0.0
    while lots and quantity * lots[0].quantity < 0:
        lot = lots[_NEXT[method](lots)]
        closed = -quantity if abs(quantity) < abs(lot.quantity) else lot.quantity
        realized += closed * (price - lot.price)
        lot.quantity -= closed
        quantity += closed
        if lot.quantity == 0:
            lots.remove(lot)
    return realized, quantity


def _open(lots: list[_Lot], lot: _Lot, method: LotMethod) -> None:
    if method == "average" and lots:
        (one,) = lots
        together = one.quantity + lot.quantity
        one.price = (one.quantity * one.price + lot.quantity * lot.price) / together
        one.quantity = together
    else:
        lots.append(lot)


def _lots(held: Mapping[int, list[_Lot]]) -> Lots:
    left = [(name, lot) for name in sorted(held) for lot in held[name]]
    return Lots(
        instrument=np.array([name for name, _ in left], dtype=np.int64),
        quantity=np.array([lot.quantity for _, lot in left], dtype=np.float64),
        price=np.array([lot.price for _, lot in left], dtype=np.float64),
        trade=np.array([lot.trade for _, lot in left], dtype=np.int64),
    )
