"""What all answers share."""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A part of an answer: numbers are finite or null."""

    model_config = ConfigDict(allow_inf_nan=False, frozen=True)
