"""Prices of real shares, where somebody has put them: they are not ours to keep here."""

import csv
import gzip
import os
from datetime import date
from pathlib import Path

import numpy as np
import pytest

DIRECTORY = Path(os.environ.get("REAL_PRICES", "/work/shared/data/prices"))


def real_closes(name: str) -> tuple[list[date], np.ndarray]:
    """Return the days and adjusted closes, (days, symbols), of a data set; skip without it."""
    file = DIRECTORY / f"{name}.csv.gz"
    if not file.exists():
        pytest.skip(f"there are no real prices at {file}: REAL_PRICES says where they are")
    with gzip.open(file, "rt") as lines:
        _, *rows = csv.reader(lines)
    closes = np.array([[float(cell or "nan") for cell in row[1:]] for row in rows])
    return [date.fromisoformat(row[0]) for row in rows], closes
