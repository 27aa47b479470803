"""`python -m deploy.processes up`: the seven services as seven processes, until Ctrl-C."""

import argparse
import asyncio
import sys

from pydantic import ValidationError

from common.process import settings_sentence
from common.settings import SERVICES, SharedSettings
from common.telemetry import configure_logging
from deploy.processes.plan import CannotStart, planned
from deploy.processes.supervisor import Supervisor


def main() -> None:
    """Run what the arguments ask for; trouble is one sentence on stderr and status 1."""
    replicas = dict(_arguments().replicas)
    try:
        shared = SharedSettings()
        configure_logging(shared.log_level, shared.log_format)
        with planned(shared, replicas) as plan:
            in_order = asyncio.run(Supervisor(plan).run())
    except ValidationError as error:
        sys.exit(settings_sentence(error))
    except (CannotStart, ValueError) as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)  # before the supervisor listens to signals
    sys.exit(0 if in_order else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.processes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="run the seven services until Ctrl-C; SIGHUP replaces all")
    up.add_argument(
        "--replicas",
        metavar="SERVICE=COUNT",
        type=_replicas,
        nargs="+",
        default=[],
        help="more than one process of a service, for example risk-engine=2",
    )
    return parser.parse_args()


def _replicas(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if name not in SERVICES or not count.isdigit() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"say SERVICE=COUNT with one of {', '.join(SERVICES)}")
    return name, int(count)


if __name__ == "__main__":
    main()
