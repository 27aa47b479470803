"""What the gateway itself answers with."""

from pydantic import BaseModel, TypeAdapter


class Welcome(BaseModel):
    """What this is."""

    message: str
    version: str


class ErrorEntry(BaseModel):
    """One row of the list of error codes."""

    service: str
    """Who gives it."""
    code: str
    status: int
    meaning: str
    remedy: str


CATALOGUE = TypeAdapter(list[ErrorEntry])
"""The file `errors.json` beside the package: generated from every service's codes."""
