"""Look at a market: `plot` draws it, `digest` says whether it is the same somewhere else."""

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from common import calendar
from simulator import digest
from simulator.factors import EPOCH
from simulator.market import DEFAULT_SEED, MODEL_VERSION, Market

_SESSIONS = 780


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line asks for, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    plot = commands.add_parser("plot", help="write a picture and a page of the market")
    plot.add_argument(
        "--directory", type=Path, default=Path(), help="where to write (the current directory)"
    )
    digests = commands.add_parser("digest", help="print a digest of each field of all symbols")
    digests.add_argument(
        "--sessions",
        type=_positive,
        default=_SESSIONS,
        help="how many, up to --as-of (%(default)s)",
    )
    digests.add_argument("--keep", type=Path, help="write the values to this file")
    digests.add_argument("--against", type=Path, help="count what differs from such a file")
    for command in (plot, digests):
        command.add_argument(
            "--seed", type=int, default=DEFAULT_SEED, help="which market (%(default)s)"
        )
        command.add_argument(
            "--as-of", type=date.fromisoformat, help="through which session (the last closed one)"
        )
    chosen = parser.parse_args(arguments)
    if not 0 <= chosen.seed < 2**64:
        parser.error("a seed is a whole number below 2**64")
    if chosen.as_of is not None and not EPOCH <= chosen.as_of <= calendar.LAST_DAY:
        parser.error(f"the market has sessions from {EPOCH} to {calendar.LAST_DAY}")
    as_of = calendar.last_closed_session(
        datetime.now(UTC)
        if chosen.as_of is None
        else datetime.combine(chosen.as_of, datetime.max.time(), UTC)
    )
    market = Market(chosen.seed)
    if chosen.command == "plot":
        _plot(market, as_of, chosen.directory)
    else:
        _digest(market, as_of, chosen.sessions, chosen.keep, chosen.against)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a number of sessions")
    return number


def _plot(market: Market, as_of: date, directory: Path) -> None:
    try:
        from simulator import pictures  # matplotlib is for developers, not for the product
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: `make setup` installs it for development")
    directory.mkdir(parents=True, exist_ok=True)
    for path in pictures.draw(market, as_of, directory):
        sys.stdout.write(f"{path}\n")


def _digest(
    market: Market, as_of: date, sessions: int, keep: Path | None, against: Path | None
) -> None:
    bars = digest.last_bars(market, as_of, sessions)
    sys.stdout.write(
        f"model {MODEL_VERSION}, seed {market.seed}: {len(bars.symbols):,} symbols, "
        f"{len(bars.sessions)} sessions through {as_of}\n"
    )
    for name, hexadecimal in digest.digests(bars).items():
        sys.stdout.write(f"{name:12} {hexadecimal}\n")
    if keep is not None:
        digest.keep(bars, keep)
    if against is not None:
        for name, count in digest.differing(bars, digest.kept(against)).items():
            sys.stdout.write(f"{name:12} {count} of {bars.close.size:,} differ\n")


if __name__ == "__main__":
    main()
