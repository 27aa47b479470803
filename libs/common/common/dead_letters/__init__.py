"""Dead letters as a workbench: those of queues and those of work tables, in one form.

A letter was given up for a reason. Letters of the same reason are a group, so that what broke a
thousand messages is one line to read; when it is mended, the group is redriven, and what can never
be done is discarded.

`common.dead_letters.work` is imported by those who have a database only: SQLAlchemy takes its time.
"""

from common.dead_letters.letters import (
    Group,
    Kind,
    Letter,
    LetterId,
    Page,
    Place,
    Selection,
    ServiceName,
    UnknownPlace,
    WholeLetter,
)
from common.dead_letters.queues import QueueLetters
from common.dead_letters.workbench import Letters, Moved, Overview, Unreachable, Workbench

__all__ = [
    "Group",
    "Kind",
    "Letter",
    "LetterId",
    "Letters",
    "Moved",
    "Overview",
    "Page",
    "Place",
    "QueueLetters",
    "Selection",
    "ServiceName",
    "UnknownPlace",
    "Unreachable",
    "WholeLetter",
    "Workbench",
]
