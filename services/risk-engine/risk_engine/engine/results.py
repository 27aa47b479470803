"""What an engine hands back for a book, and how it is kept: arrays packed, not text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from risk_engine.domain import Failure, Status

_ARRAY = 1
_HEADER_END = b"\n"
_DTYPES = frozenset({"<f8", "<f4", "<i8", "<i4", "|b1", "|i1", "|u1"})


@dataclass(frozen=True, eq=False)
class EngineResult:
    """What an engine found out about a book.

    `payload` is a tree of dict, list, str, int, float, bool, None and numpy arrays, unrounded; NaN
    in an array or a float is "not known". Rows of a kind are a `table`.
    """

    status: Status
    payload: Mapping[str, Any] = field(default_factory=dict)


Answer = EngineResult | Failure


def table(**columns: Sequence[Any] | npt.NDArray[Any]) -> dict[str, Any]:
    """Return rows by their columns, all of one length; read as a list of records.

    Raises:
        ValueError: the columns differ in length.
    """
    if len({len(column) for column in columns.values()}) > 1:
        raise ValueError("the columns of a table differ in length")
    return {"table": columns}


def pack(payload: Mapping[str, Any]) -> bytes:
    """Write a payload as bytes: the same bytes for the same payload.

    Raises:
        TypeError: it holds something else than `EngineResult.payload` says.
    """
    return msgspec.msgpack.encode(payload, enc_hook=_to_extension, order=None)


def unpack(content: bytes) -> dict[str, Any]:
    """Read back what `pack` wrote; arrays are read-only views of the bytes."""
    unpacked: dict[str, Any] = msgspec.msgpack.decode(content, ext_hook=_from_extension)
    return unpacked


def _to_extension(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        kind = value.dtype.newbyteorder("<").str
        if kind not in _DTYPES:
            raise TypeError(f"an array of {value.dtype} cannot be packed")
        head = f"{kind}{','.join(map(str, value.shape))}".encode()
        # Bytes are in the order of rows, wherever the array keeps them.
        return msgspec.msgpack.Ext(_ARRAY, head + _HEADER_END + value.astype(kind).tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be packed")


def _from_extension(code: int, content: memoryview) -> npt.NDArray[Any]:
    if code != _ARRAY:
        raise ValueError(f"no extension {code} is known")
    head, _, values = bytes(content).partition(_HEADER_END)
    kind, shape = head[:3].decode(), head[3:].decode()
    axes = tuple(int(axis) for axis in shape.split(",") if axis)
    return np.frombuffer(values, dtype=kind).reshape(axes)
