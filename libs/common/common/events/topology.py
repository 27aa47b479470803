"""Every queue and what it hears. One table; a test holds each service's SUBSCRIPTIONS against it.

Patterns are AMQP topics over `name.v<version>`: `*` is one word, `#` any number of them.
"""

import re
from dataclasses import dataclass, field

EVENTS_EXCHANGE = "sigmasight.events"
"""Topic exchange: facts, to whoever wants them."""
COMMANDS_EXCHANGE = "sigmasight.commands"
"""Direct exchange: requests, to the one service that decides."""


@dataclass(frozen=True)
class Queue:
    """One service's queue, the events it wants and the commands it takes."""

    name: str
    patterns: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    def wants(self, routing_key: str) -> bool:
        """Whether a message of this routing key is delivered here."""
        return routing_key in self.commands or any(
            topic_matches(pattern, routing_key) for pattern in self.patterns
        )


@dataclass(frozen=True)
class Topology:
    """All queues of a system, under the names of its two exchanges."""

    queues: tuple[Queue, ...]
    commands: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        taken = [command for queue in self.queues for command in queue.commands]
        if len(taken) != len(set(taken)):
            raise ValueError("a command is taken by more than one queue")
        object.__setattr__(self, "commands", frozenset(taken))

    def queue(self, name: str) -> Queue:
        """Return the queue of this name; KeyError when the table has none."""
        for queue in self.queues:
            if queue.name == name:
                return queue
        raise KeyError(name)


def topic_matches(pattern: str, routing_key: str) -> bool:
    """Whether an AMQP topic pattern accepts a routing key."""
    return re.fullmatch(topic_expression(pattern), f".{routing_key}") is not None


def topic_expression(pattern: str) -> str:
    """Return the regular expression, anchored at neither end, for a routing key after a dot.

    The leading dot gives every word a separator of its own, so that `#` may stand for no word at
    all anywhere. Python and Postgres read the expression alike.
    """
    words = {"*": r"\.[^.]+", "#": r"(\.[^.]+)*"}
    return "".join(words.get(word, rf"\.{re.escape(word)}") for word in pattern.split("."))


TOPOLOGY = Topology(
    queues=(
        Queue("auth", ("portfolio.created.v1", "portfolio.deleted.v1")),
        Queue("marketdata", ("portfolio.*.v1", "run.requested.v1")),
        Queue("risk-engine", ("portfolio.*.v1", "prices.*.v1")),
        Queue(
            "scheduler",
            ("portfolio.*.v1", "prices.*.v1", "risk.calculated.v1", "calculation.failed.v1"),
            commands=("scheduler.run_job.v1",),
        ),
        Queue("chat", ("risk.calculated.v1",)),
        Queue(
            "gateway",
            (
                "portfolio.*.v1",
                "securities.enriched.v1",
                "prices.*.v1",
                "risk.calculated.v1",
                "calculation.*.v1",
                "run.*.v1",
                "insight.generated.v1",
                "session.revoked.v1",
            ),
        ),
    )
)
