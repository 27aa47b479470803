"""When to try again, for messages and for work alike."""

from dataclasses import dataclass

from common.errors import Unavailable

LONGEST_AFTER_DEATH = 60.0
"""Seconds. Whoever waits for a book that kills is told within minutes."""


@dataclass(frozen=True)
class Retry:
    """The ladder of pauses between attempts, in seconds, and how many attempts an error gets."""

    ladder: tuple[float, ...] = (1.0, 10.0, 60.0, 600.0)
    attempts: int = 3
    """Attempts for an error that is not `Unavailable`."""
    deaths: int = 5
    """Attempts in a row that may end because their worker died, or the process that it had given
    them to. They are more than an error gets: whatever was in hand in the same process is counted
    beside the one to blame."""

    def pause(self, error: BaseException, attempts: int, *, forever: bool = False) -> float | None:
        """Return the seconds to wait after this many attempts, or None to give up.

        `Unavailable` climbs the whole ladder (and with `forever` repeats its last rung); any other
        error gets `attempts`.
        """
        if isinstance(error, Unavailable):
            if attempts <= len(self.ladder):
                return self.ladder[attempts - 1]
            return self.ladder[-1] if forever else None
        if attempts >= self.attempts:
            return None
        return self._rung(attempts)

    def pause_after_death(self, deaths: int) -> float | None:
        """Return the seconds to wait after so many deaths in a row, or None to give up.

        They grow, so that what kills or hangs leaves its neighbours time between.
        """
        return None if deaths >= self.deaths else min(self._rung(deaths), LONGEST_AFTER_DEATH)

    def _rung(self, number: int) -> float:
        return self.ladder[min(number, len(self.ladder)) - 1]
