"""When to try again, for messages and for work alike."""

from dataclasses import dataclass

from common.errors import Unavailable


@dataclass(frozen=True)
class Retry:
    """The ladder of pauses between attempts, in seconds, and how many attempts an error gets."""

    ladder: tuple[float, ...] = (1.0, 10.0, 60.0, 600.0)
    attempts: int = 3
    """Attempts for an error that is not `Unavailable`."""
    deaths: int = 5
    """Attempts in a row that may end without a word, because their worker died. They are more than
    an error gets: whatever was in hand in the same process is counted beside the one to blame."""

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
        return self.ladder[min(attempts, len(self.ladder)) - 1]
