"""What the simulated market costs, and that all of it is the same whoever asks and however."""

import json
import statistics
import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from common import calendar
from simulator import digest
from simulator.market import Bars, Market
from tests.benchmarks.figures import SEED, Figures, size

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROUNDS = size("ROUNDS", 3)
SESSIONS = 780
END = date(2026, 11, 20)
PIECES = 7
TURNS = (date(2025, 6, 20), date(2026, 6, 22))
"""First sessions of half-years: a session more than before them is the first of another block."""
ONES = ("AAPL", "JPM", "SPY", "TLT", "VIX")

# In a process of its own, nothing loaded: what a service pays that serves its first request.
FRESH = """
import json, sys, time
began = time.perf_counter()
from datetime import date
from pathlib import Path
from common import calendar
from simulator import digest
from simulator.market import Market

def timed(ask):
    start = time.perf_counter()
    answer = ask()
    return time.perf_counter() - start, answer

sessions, end, ones = int(sys.argv[1]), date.fromisoformat(sys.argv[2]), sys.argv[3:]
before = calendar.session_back(end, 1)
loading = time.perf_counter() - began
market = Market()
seconds, bars = timed(lambda: digest.last_bars(market, before, sessions))
status = Path("/proc/self/status").read_text()
[peak] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")]
more, _ = timed(lambda: market.bars(market.symbols(), end, end))
start = calendar.session_back(end, sessions - 1)
cold = [timed(lambda: Market().bars([symbol], start, end))[0] for symbol in ones]
warm = [timed(lambda: market.bars([symbol], start, end))[0] for symbol in ones]
print(json.dumps({
    "loading": loading, "all": seconds, "peak": peak / 1024, "more": more, "cold": cold,
    "warm": warm, "symbols": len(bars.symbols), "digests": digest.digests(bars),
}))
"""


def in_a_fresh_process():
    command = [sys.executable, "-c", FRESH, str(SESSIONS), END.isoformat(), *ONES]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_the_market_is_cheap_and_the_same_in_every_process(figures: Figures):
    runs = [in_a_fresh_process() for _ in range(ROUNDS)]
    here = digest.digests(digest.last_bars(Market(), calendar.session_back(END, 1), SESSIONS))
    assert [run["digests"] for run in runs] == [here] * ROUNDS

    def median(name: str) -> float:
        return float(statistics.median(run[name] for run in runs))

    def milliseconds(name: str) -> str:
        return f"{1000 * statistics.median(t for run in runs for t in run[name]):.1f} ms"

    figures.add(
        f"simulator: {SESSIONS} sessions of {runs[0]['symbols']:,} symbols in a fresh process "
        f"(median of {ROUNDS}); the most memory it ever had (VmHWM)",
        f"{median('all'):.2f} s, imports {median('loading'):.2f} s; {median('peak'):.0f} MiB",
        "≤ 4 s; ≤ 600 MiB",
    )
    figures.add(
        "the same, one symbol: in a new market; in one that was asked for all before",
        f"{milliseconds('cold')}; {milliseconds('warm')}",
        "milliseconds",
    )
    figures.add("the same, one more session of all symbols", f"{median('more'):.2f} s")
    figures.add(
        f"the same, digests of all {len(here)} fields in {ROUNDS + 1} processes", "equal", "equal"
    )


def test_all_of_it_is_the_same_for_every_request(figures: Figures):
    whole = digest.last_bars(Market(), END, SESSIONS)
    symbols, start = whole.symbols, whole.sessions[0]
    expected = digest.digests(whole)

    order = np.random.default_rng(SEED).permutation(len(symbols))
    shuffled = Market().bars([symbols[place] for place in order], start, END)
    assert digest.digests(part(shuffled, columns=np.argsort(order))) == expected

    asked_last_first = Market()
    pieces = {n: asked_last_first.bars(symbols[n::PIECES], start, END) for n in range(PIECES)[::-1]}
    for number, piece in pieces.items():
        ours = part(whole, columns=np.arange(number, len(symbols), PIECES))
        assert digest.digests(piece) == digest.digests(ours)

    for end in (END, *TURNS):
        shorter = Market().bars(symbols, start, calendar.session_back(end, 1))
        longer = Market().bars(symbols, start, end)
        assert longer.sessions == (*shorter.sessions, end)
        past = part(longer, rows=np.arange(len(shorter.sessions)))
        assert digest.digests(past) == digest.digests(shorter)
    figures.add(
        f"the same, all of it asked for in another order, in {PIECES} pieces, and with a session "
        f"more ({1 + len(TURNS)} times, {len(TURNS)} of them the first of a half-year)",
        "equal in every bit",
        "equal",
    )


def part(bars: Bars, rows: np.ndarray | None = None, columns: np.ndarray | None = None) -> Bars:
    """Return some sessions or some symbols of bars."""
    rows = np.arange(len(bars.sessions)) if rows is None else rows
    columns = np.arange(len(bars.symbols)) if columns is None else columns
    arrays = {name: array[np.ix_(rows, columns)] for name, array in digest.values(bars).items()}
    return Bars(
        tuple(bars.sessions[row] for row in rows),
        tuple(bars.symbols[column] for column in columns),
        **arrays,
    )
