"""A dead letter as a person sees it: where it died, of what, whose it is and what it says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from common.dead_letters.cause import group_of
from common.settings import SERVICES

Kind = Literal["queue", "work"]
"""A message of a service's queue, or a row of its work table."""

IDS_AT_ONCE = 1_000


class UnknownPlace(ValueError):
    """An id that names no place where letters can be."""


@dataclass(frozen=True)
class Place:
    """Where letters are: the queue or the work table of a service."""

    kind: Kind
    service: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.service}"

    def letter(self, within: str) -> str:
        """Return the id of a letter of this place: `queue:chat:17`."""
        return f"{self}:{within}"

    @classmethod
    def of(cls, letter_id: str) -> tuple[Self, str]:
        """Return a letter's place and its id there; `UnknownPlace` when it names none."""
        kind, _, rest = letter_id.partition(":")
        service, colon, within = rest.partition(":")
        if kind not in ("queue", "work") or service not in SERVICES or not colon or not within:
            raise UnknownPlace(f"{letter_id!r} is no letter's id: they look like queue:chat:17")
        return cls("queue" if kind == "queue" else "work", service), within


def _known_service(name: str) -> str:
    if name not in SERVICES:
        raise ValueError(f"the services are {', '.join(SERVICES)}")
    return name


def _known_place(letter_id: str) -> str:
    Place.of(letter_id)
    return letter_id


ServiceName = Annotated[str, AfterValidator(_known_service)]
LetterId = Annotated[str, AfterValidator(_known_place)]


class Letter(BaseModel, frozen=True):
    """A letter in a list: everything but its contents, which may be large."""

    id: str
    kind: Kind
    service: str
    name: str
    """The message's routing key, or the kind of work."""
    group: str
    """Letters of one cause share it."""
    reason: str
    attempts: int
    died_at: datetime
    size: int
    """Bytes of the message, or of the work's payload."""
    message_id: UUID | None = None
    trace_id: str | None = None
    run_id: UUID | None = None
    user_id: UUID | None = None


class WholeLetter(Letter, frozen=True):
    """One letter with all that a person needs to decide about it."""

    stack: str
    """Of the last attempt; empty when its workers died."""
    occurred_at: datetime | None = None
    producer: str | None = None
    causation_id: UUID | None = None
    payload: Any = None
    """The event or the work; null when the body cannot be read as one."""
    body: str | None = None
    """The body as text when it cannot be read as JSON."""


class Group(BaseModel, frozen=True):
    """Letters of one cause."""

    id: str
    kind: Kind
    service: str
    name: str
    reason: str
    """That of the newest letter."""
    count: int
    least_attempts: int
    most_attempts: int
    first_died_at: datetime
    last_died_at: datetime
    newest: str
    """The id of the newest letter."""


class Page(BaseModel, frozen=True):
    """What was found: causes, the largest first, and letters, the newest first."""

    groups: list[Group]
    letters: list[Letter]
    total: int
    """How many letters there are, or of the group that was asked for."""
    complete: bool
    """Whether all were looked at; if not, groups hold more letters than they say."""


class Selection(BaseModel):
    """Which letters: some by their ids, those of one cause, or all; one of the three."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: tuple[LetterId, ...] | None = Field(default=None, min_length=1, max_length=IDS_AT_ONCE)
    group: str | None = Field(default=None, min_length=1)
    all: Literal[True] | None = None
    """To be said: nothing else means all."""
    service: ServiceName | None = None
    """Of this service only; not with ids, which say it."""
    kind: Kind | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("ids", "group", "all") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError('say which letters: exactly one of ids, group and "all": true')
        if self.ids is not None and (self.service or self.kind):
            raise ValueError("ids name their places: leave service and kind out")
        return self

    def places(self) -> set[Place]:
        """Return the places that the ids name."""
        return {Place.of(letter_id)[0] for letter_id in self.ids or ()}

    def within(self, place: Place) -> list[str] | None:
        """Return the ids as that place knows them, or None when no ids are given."""
        if self.ids is None:
            return None
        named = (Place.of(letter_id) for letter_id in self.ids)
        return [within for where, within in named if where == place]


def page_of(letters: Sequence[Letter], *, total: int, group: str | None, limit: int) -> Page:
    """Return the causes of all these letters and the newest `limit` of them.

    `total` tells how many there are when not all were looked at. With a group, only its letters.
    """
    complete = len(letters) >= total
    chosen = [letter for letter in letters if group in (None, letter.group)]
    newest = sorted(chosen, key=lambda letter: letter.died_at, reverse=True)
    return Page(
        groups=grouped(newest),
        letters=newest[:limit],
        total=total if group is None else len(chosen),
        complete=complete,
    )


def grouped(newest_first: Iterable[Letter]) -> list[Group]:
    """Return the letters' causes, the one of the most letters first."""
    found: dict[str, list[Letter]] = {}
    for letter in newest_first:
        found.setdefault(letter.group, []).append(letter)
    return by_size(_group(letters) for letters in found.values())


def by_size(groups: Iterable[Group]) -> list[Group]:
    """Return groups, the largest first; the id decides between equals."""
    return sorted(groups, key=lambda group: (-group.count, group.id))


def _group(letters: Sequence[Letter]) -> Group:
    newest, oldest = letters[0], letters[-1]
    attempts = [letter.attempts for letter in letters]
    return Group(
        id=newest.group,
        kind=newest.kind,
        service=newest.service,
        name=newest.name,
        reason=newest.reason,
        count=len(letters),
        least_attempts=min(attempts),
        most_attempts=max(attempts),
        first_died_at=oldest.died_at,
        last_died_at=newest.died_at,
        newest=newest.id,
    )


def cause_group(place: Place, name: str, reason: str) -> str:
    """Return the group of a letter of this place."""
    return group_of(str(place), name, reason)
