"""The Treasury's curve on the wire: JSON for people, Arrow for the risk engine."""

import json
from datetime import date

import numpy as np
import pyarrow as pa
from pydantic import BaseModel

from marketdata.domain import TENORS, Curves, Edition
from marketdata.schemas.panel import METADATA_KEY, streams


class Rate(BaseModel):
    """A point of the curve."""

    tenor: str
    years: float
    rate: float | None
    """Of a zero bond: a decimal per year, continuously compounded; null where there is none."""


class Rates(BaseModel):
    """The curve at a session's close; not available while none is loaded."""

    available: bool
    reason: str | None = None
    as_of: date | None = None
    """The NYSE session."""
    provider: str
    rates: list[Rate] = []


def encode(edition: Edition, version: int, curves: Curves) -> bytes:
    """Return curves as one Arrow table: `session`, and a column of zero rates per tenor."""
    metadata = {
        "as_of": edition.as_of.isoformat(),
        "panel_version": version,
        "provider": edition.source.provider,
        "model_version": edition.source.model_version,
        "years": TENORS,
    }
    schema = pa.schema(
        [("session", pa.date32()), *((tenor, pa.float64()) for tenor in TENORS)],
        {METADATA_KEY: json.dumps(metadata, sort_keys=True)},
    )
    columns = [pa.array(curves["session"], pa.date32())]
    columns += [
        pa.array(np.ascontiguousarray(curves["rates"][:, place]), pa.float64(), from_pandas=True)
        for place in range(len(TENORS))
    ]
    return streams([pa.table(columns, schema=schema)])
