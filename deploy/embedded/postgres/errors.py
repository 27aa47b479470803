"""Why the embedded Postgres cannot run, each in a sentence that also says how to mend it."""


class EmbeddedPostgresError(Exception):
    """Base of what the launcher raises; its text is meant for the person at the terminal."""


class HomeInUse(EmbeddedPostgresError):
    """Another live host holds the home."""


class HomeNotWritable(EmbeddedPostgresError):
    """The home cannot be created, written or reached by the one who needs to."""


class PostgresFailed(EmbeddedPostgresError):
    """Postgres is missing, did not start or did not end; the log's tail follows the sentence."""

    def __init__(self, sentence: str, log_tail: str = "") -> None:
        super().__init__(f"{sentence}\n{log_tail}" if log_tail else sentence)
        self.sentence = sentence
        self.log_tail = log_tail
