"""Digests: equal for equal markets, and they notice one cent in one bar."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from simulator import digest
from simulator.__main__ import main
from simulator.factors import EPOCH
from simulator.market import ANCHOR, Market

FIELDS = ["open", "high", "low", "close", "volume", "split_ratio", "dividend", "traded"]


@pytest.fixture(scope="module")
def bars():
    return Market().bars(["AAPL", "SPY", "VIX", "TEC0108"], EPOCH, date(2015, 2, 27))


def test_one_cent_changes_the_digest_of_its_field_and_of_no_other(bars):
    close = bars.close.copy()
    close[7, 1] += 0.01
    other = replace(bars, close=close)

    before, after = digest.digests(bars), digest.digests(other)
    assert list(before) == FIELDS
    assert [name for name in FIELDS if before[name] != after[name]] == ["close"]
    assert digest.differing(other, digest.values(bars)) == {
        name: int(name == "close") for name in FIELDS
    }


def test_absent_prices_are_the_same_as_absent_prices_and_as_no_others(bars):
    close = bars.close.copy()
    close[3, :2] = np.nan
    other = replace(bars, close=close)
    assert digest.differing(other, digest.values(other))["close"] == 0
    assert digest.differing(other, digest.values(bars))["close"] == 2


def test_bars_of_other_sessions_do_not_compare(bars):
    shorter = replace(bars, **{name: getattr(bars, name)[1:] for name in FIELDS})
    with pytest.raises(ValueError, match="do not compare"):
        digest.differing(shorter, digest.values(bars))


def test_what_is_kept_by_one_run_is_compared_by_another(tmp_path, capsys):
    file = tmp_path / "kept"
    asked = ["digest", "--as-of", ANCHOR.isoformat(), "--sessions", "2"]
    main([*asked, "--keep", str(file)])
    first = capsys.readouterr().out
    main([*asked, "--against", str(file)])
    second = capsys.readouterr().out

    assert "2 sessions through 2024-01-16" in first
    assert re.findall(r"^(\w+) +[0-9a-f]{64}$", first, re.MULTILINE) == FIELDS
    assert second.startswith(first)
    assert second.count(" 0 of ") == len(FIELDS)
    main(["digest", "--as-of", ANCHOR.isoformat(), "--sessions", "2", "--seed", "3"])
    assert capsys.readouterr().out.splitlines()[4] != first.splitlines()[4]


@pytest.mark.parametrize(
    "mistake",
    [
        ["--as-of", "2014-12-31"],
        ["--as-of", "2061-01-03"],
        ["--sessions", "0"],
        ["--seed", "-1"],
    ],
)
def test_what_no_market_has_is_refused_with_a_sentence(mistake, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["digest", *mistake])
    assert "error:" in capsys.readouterr().err
