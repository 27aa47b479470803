"""`python -m deploy.embedded up` hosts the system; `demo` also shows it at work.

Nothing but the standard library is imported at the top: the risk engine's pool imports this module
again in each of its processes.
"""

import argparse
import sys
from functools import partial


def main() -> None:
    """Run what the arguments ask for; trouble is one sentence on stderr and status 1."""
    arguments = _arguments()
    try:
        _run(arguments)
    except KeyboardInterrupt:
        # Before the host listens to signals: while it imports and connects.
        sys.exit(130)


def _run(arguments: argparse.Namespace) -> None:
    from deploy.cli.client import Refused
    from deploy.cli.demo import DemoFailed, demo
    from deploy.embedded.host import HostFailed, run

    try:
        if arguments.command == "up":
            run()
        else:
            journey = partial(demo, stays=not arguments.once)
            run(journey, once=arguments.once, log_to_home=True)
    except (HostFailed, DemoFailed, Refused) as failure:
        sys.exit(str(failure))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.embedded", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="host the seven services until Ctrl-C")
    demo = commands.add_parser("demo", help="host them, import a portfolio and print its report")
    demo.add_argument("--once", action="store_true", help="end after printing the report")
    return parser.parse_args()


if __name__ == "__main__":
    main()
