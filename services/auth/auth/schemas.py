"""What auth takes and gives over HTTP."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, EmailStr, Field

from common.text import PlainSecret, PlainText


class Registration(BaseModel):
    """A new account."""

    email: EmailStr
    password: PlainSecret = Field(max_length=256)
    full_name: PlainText = Field(max_length=255)
    invite_code: PlainText = Field(max_length=255)


class NextStep(BaseModel):
    """What to do next."""

    action: str
    endpoint: str
    description: str


class Registered(BaseModel):
    """The account that was made."""

    user_id: UUID
    email: str
    full_name: str
    message: str
    next_step: NextStep


class Credentials(BaseModel):
    """Who wants in."""

    email: PlainText = Field(max_length=320)
    password: PlainSecret = Field(max_length=256)


class Token(BaseModel):
    """An access token and its life in seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name
    expires_in: int


class Me(BaseModel):
    """The account behind a token."""

    id: UUID
    email: str
    full_name: str
    role: str
    is_active: bool
    created_at: datetime
    portfolio_id: UUID | None


class LoggedOut(BaseModel):
    """The end of a session."""

    message: str
    success: bool


class KeySet(BaseModel):
    """A JSON Web Key Set (RFC 7517) with the public halves of the signing keys."""

    model_config = ConfigDict(extra="allow")

    keys: list[dict[str, str]]
