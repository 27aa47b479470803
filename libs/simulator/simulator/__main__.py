"""`python -m simulator plot`: a picture of the market, for people to judge it by."""

import argparse
import sys
from datetime import UTC, date, datetime
from pathlib import Path

from common import calendar
from simulator.market import DEFAULT_SEED, Market


def main(arguments: list[str] | None = None) -> None:
    """Write `market.png` and `market.html`, and print where."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    plot = commands.add_parser("plot", help="write a picture and a page of the market")
    plot.add_argument("--seed", type=int, default=DEFAULT_SEED, help="which market (%(default)s)")
    plot.add_argument(
        "--as-of", type=date.fromisoformat, help="through which session (the last closed one)"
    )
    plot.add_argument(
        "--directory", type=Path, default=Path(), help="where to write (the current directory)"
    )
    chosen = parser.parse_args(arguments)
    try:
        from simulator import pictures  # matplotlib is for developers, not for the product
    except ModuleNotFoundError as error:
        sys.exit(f"{error.name} is not installed: `make setup` installs it for development")
    as_of = calendar.last_closed_session(
        datetime.now(UTC)
        if chosen.as_of is None
        else datetime.combine(chosen.as_of, datetime.max.time(), UTC)
    )
    chosen.directory.mkdir(parents=True, exist_ok=True)
    for path in pictures.draw(Market(chosen.seed), as_of, chosen.directory):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
