"""What all messages share: a name, a version, frozen fields."""

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, WithJsonSchema

Amount = Annotated[
    Decimal,
    PlainSerializer(lambda amount: format(amount, "f"), return_type=str, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}, {"type": "number"}]}
    ),
]
"""An exact number: on the wire digits as text, never an exponent; a JSON number is taken too."""


class Message(BaseModel):
    """A fact or a request, immutable once made.

    Unknown fields are ignored, so that a producer may add optional ones within a version.
    """

    # An error's sentence goes to logs and dead letters: without the input, it may hold positions.
    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )

    NAME: ClassVar[str]
    VERSION: ClassVar[int] = 1

    @classmethod
    def routing_key(cls) -> str:
        """Return `name.v<version>`, the key by which queues choose messages."""
        return f"{cls.NAME}.v{cls.VERSION}"


class Event(Message):
    """Something that happened; anyone may listen."""


class Command(Message):
    """A request to one service, which decides."""
