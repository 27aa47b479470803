"""The published language: every event and command, the envelope they travel in, and who hears them.

Nothing but pydantic is imported here, so that any program can read the contracts.
"""

from common.events.base import Command, Event, Message
from common.events.catalogue import COMMANDS, EVENTS, message_class
from common.events.envelope import Envelope, Unparseable

__all__ = [
    "COMMANDS",
    "EVENTS",
    "Command",
    "Envelope",
    "Event",
    "Message",
    "Unparseable",
    "message_class",
]
