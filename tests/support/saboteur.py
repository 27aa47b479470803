"""Runs a real entry module in a process that kills itself where it is told to.

    python -m tests.support.saboteur '{"arm": "work.claimed@risk-engine", "nth": 2}' -- \
        deploy.embedded up

Production code reads no such option: the listener of `common.crash_points` is ours, and so is the
`connect` that `common.process` opens its bus with. A spot is a crash point, whose hands it was in,
and for a commit or a publication the code and the subject that wanted it:
`unit.after_commit@auth/Service.handle[portfolio.created.v1]`.
"""

import json
import os
import runpy
import signal
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any, Self

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

import common.process
import common.work
from common.bus import Bus
from common.bus.connect import connect
from common.crash_points import CrashPoint, arm
from common.retry import Retry
from tests.support.mischief import Mischief, MischievousBus

MACHINERY = ("common.crash_points", "common.unit_of_work", "common.bus", "contextlib")
"""Modules through which a commit or a publication goes, whoever wants it."""
FULL_SPOTS = ("unit.", "message.")


@dataclass(frozen=True)
class Options:
    """What is done to the process."""

    arm: str | None = None
    """The spot to die at."""
    nth: int = 1
    """At which passing of it."""
    record: str | None = None
    """A file to which every spot that is passed is appended."""
    orders: str | None = None
    """A file of options to read again at SIGUSR1; beside it, `.heard` says that they were."""
    mischief: Mischief | None = None
    lease: float = 3.0
    """Seconds after which a dead worker's messages and work go to another; 15 in production."""
    ladder: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0)
    """Pauses between attempts, in seconds; up to ten minutes in production."""
    grace: float = 10.0

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the options that a text gives; others are as a field's default says."""
        given = json.loads(text)
        if given.get("mischief"):
            given["mischief"] = Mischief(**given["mischief"])
        if "ladder" in given:
            given["ladder"] = tuple(given["ladder"])
        return cls(**given)

    def to_json(self) -> str:
        """Return what `from_json` reads."""
        return json.dumps(asdict(self))


class Saboteur:
    """Listens at crash points: writes down, kills, makes trouble."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._left = options.nth
        self._record = _appending(options.record)

    def __call__(self, point: CrashPoint, place: str) -> None:
        """Do what is to be done where the process is now."""
        if self._options.arm is not None or self._record is not None:
            spot = _spot(point, place, sys._getframe(2))
            if self._record is not None:
                os.write(self._record, f"{spot}\n".encode())
            if spot == self._options.arm:
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        if self._options.mischief is not None:
            self._options.mischief.at(point)

    def obey(self, *_: object) -> None:
        """Read the orders again, and say so; leases and the like stay as they are."""
        path = Path(str(self._options.orders))
        told = Options.from_json(path.read_text())
        if self._record is not None:
            os.close(self._record)
        kept = replace(self._options, arm=told.arm, nth=told.nth, record=told.record)
        self.__init__(kept)  # type: ignore[misc]  # the same listener under new orders
        path.with_suffix(".heard").touch()


def sabotage(options: Options) -> None:
    """Plug in, once, before the entry module runs."""
    saboteur = Saboteur(options)
    arm(saboteur)
    if options.orders is not None:
        signal.signal(signal.SIGUSR1, saboteur.obey)

    def connect_sabotaged(*args: Any, **kwargs: Any) -> Bus:
        told = {"lease": options.lease, "retry": Retry(options.ladder), "grace": options.grace}
        bus = connect(*args, **{**kwargs, **told})
        return bus if options.mischief is None else MischievousBus(bus, options.mischief)

    vars(common.process)["connect"] = connect_sabotaged
    # Hashing passwords slowly would be most of what a short-lived host does.
    quick = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1),))
    PasswordHash.recommended = lambda: quick  # type: ignore[method-assign]
    defaults = common.work.Worker.__init__.__kwdefaults__
    assert defaults is not None
    defaults |= {"lease": timedelta(seconds=options.lease), "retry": Retry(options.ladder)}


def run(module: str, arguments: list[str]) -> None:
    """Be `python -m module arguments`."""
    sys.argv[1:] = arguments
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _spot(point: str, place: str, frame: FrameType | None) -> str:
    if not point.startswith(FULL_SPOTS):
        return f"{point}@{place}"
    while frame is not None and frame.f_globals.get("__name__", "").startswith(MACHINERY):
        frame = frame.f_back
    if frame is None:
        return f"{point}@{place}"
    subject = _subject(frame.f_locals)
    return f"{point}@{place}/{frame.f_code.co_qualname}" + (f"[{subject}]" if subject else "")


def _subject(known: dict[str, Any]) -> str | None:
    # What the code at hand calls what it has in hand.
    if "batch" in known and not known["batch"]:
        return "nothing"  # a relay that looked in vain
    with suppress(KeyError, AttributeError):
        return str(known["envelope"].routing_key)
    with suppress(KeyError, AttributeError):
        return str(known["work"].kind)
    with suppress(KeyError, AttributeError):
        return f"{known['request'].method} {known['request'].scope['route'].path}"
    return None


def _appending(path: str | None) -> int | None:
    if path is None:
        return None
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def main() -> None:
    """Sabotage this process and run the module."""
    options, separator, module, *arguments = sys.argv[1:]
    if separator != "--":
        sys.exit("usage: python -m tests.support.saboteur <options json> -- <module> [args]")
    sabotage(Options.from_json(options))
    run(module, arguments)


if __name__ == "__main__":
    main()
