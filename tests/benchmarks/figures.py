"""Figures on their way into `docs/benchmarks.md`: measured, named, printed as rows of its table."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path


def size(name: str, usual: int) -> int:
    """Return how much of something a benchmark makes: `BENCH_<NAME>`, else the usual."""
    return int(os.environ.get(f"BENCH_{name}", usual))


SEED = size("SEED", 1)
"""Of everything that is drawn by chance."""


def quantile(samples: Sequence[float], q: float) -> float:
    """Return a quantile of samples; the largest when there are too few to tell it apart."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def milliseconds(samples: Sequence[float], *quantiles: float) -> str:
    """Return the median and other quantiles of seconds: `p50 1.2 ms, p99 3.4 ms`."""
    named = [("p50", statistics.median(samples))]
    named += [(f"p{q * 100:g}", quantile(samples, q)) for q in quantiles]
    return ", ".join(f"{name} {_milliseconds(seconds)} ms" for name, seconds in named)


def _milliseconds(seconds: float) -> str:
    value = seconds * 1000
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def proportional_set_size(pid: int, *, family: bool = True) -> float:
    """Return the PSS in MiB of a process, and of all its descendants if `family`."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    own = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if family else []
    return own / 1024 + sum(proportional_set_size(int(child)) for child in children)


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process and its living descendants have used."""
    # After the command's closing parenthesis: state is field 3, utime 14, stime 15.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(processor_seconds(int(child)) for child in children)


@dataclass
class Figures:
    """The rows of one run."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, what: str, measured: str, target: str = "-") -> None:
        """Note a row and print it at once: a later benchmark may fail."""
        self.rows.append((what, target, measured))
        print(f"\n| {what} | {target} | {measured} |", flush=True)

    def table(self) -> str:
        """Return all rows, to be pasted."""
        head = ["| what | target | measured |", "|---|---|---|"]
        return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in self.rows)])
