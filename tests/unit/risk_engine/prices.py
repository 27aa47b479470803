"""Real prices, where the machine has them: 20 stocks and their index 1990-2022, five funds."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FOLDER = Path(__file__).parents[4] / "shared" / "data" / "prices"


def log_returns(name: str) -> np.ndarray:
    """Return the daily log returns of a file, (sessions, symbols), or skip the test."""
    path = FOLDER / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"no real prices: {path} is not there")
    prices = pd.read_csv(path, index_col=0).to_numpy()
    return np.diff(np.log(prices), axis=0)
