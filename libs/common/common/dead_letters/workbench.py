"""All places where letters are, looked at and emptied as one.

A place that does not answer is named, never left out in silence: what is not seen might be there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import structlog
from pydantic import BaseModel

from common.dead_letters.letters import (
    Kind,
    Page,
    Place,
    Selection,
    WholeLetter,
    by_size,
)
from common.errors import Unavailable

log = structlog.get_logger()


class Letters(Protocol):
    """The letters of one place."""

    @property
    def place(self) -> Place:
        """Where they are."""
        ...

    async def look(self, *, group: str | None, limit: int) -> Page:
        """Return causes and letters, of one cause or of all."""
        ...

    async def find(self, within: str) -> WholeLetter | None:
        """Return one letter with all it says, or None."""
        ...

    async def redrive(self, selection: Selection) -> int:
        """Have letters tried again as new; return how many."""
        ...

    async def discard(self, selection: Selection) -> int:
        """Delete letters; return how many."""
        ...


class Unreachable(BaseModel, frozen=True):
    """A place that did not answer, and what is known of why."""

    place: str
    reason: str


class Overview(Page, frozen=True):
    """What was found in all places."""

    unreachable: list[Unreachable]


class Moved(BaseModel, frozen=True):
    """How many letters were redriven or discarded."""

    moved: int
    places: dict[str, int]
    """By place, `queue:chat` or `work:chat`; those without any are left out."""
    unreachable: list[Unreachable]


Answer = TypeVar("Answer")


class Workbench:
    """The letters of several places."""

    def __init__(self, places: Sequence[Letters]) -> None:
        self._places = {letters.place: letters for letters in places}

    async def look(
        self,
        *,
        service: str | None = None,
        kind: Kind | None = None,
        group: str | None = None,
        limit: int = 100,
    ) -> Overview:
        """Return causes, the largest first, and the newest letters, of all places or of some."""
        pages, unreachable = await _ask(
            self._some(service, kind), lambda letters: letters.look(group=group, limit=limit)
        )
        found = [letter for page in pages.values() for letter in page.letters]
        newest = sorted(found, key=lambda letter: letter.died_at, reverse=True)
        return Overview(
            groups=by_size(cause for page in pages.values() for cause in page.groups),
            letters=newest[:limit],
            total=sum(page.total for page in pages.values()),
            complete=all(page.complete for page in pages.values()) and not unreachable,
            unreachable=unreachable,
        )

    async def find(self, letter_id: str) -> WholeLetter | None:
        """Return one letter, or None; `UnknownPlace`, and `Unavailable` when it does not answer."""
        place, within = Place.of(letter_id)
        letters = self._places.get(place)
        return None if letters is None else await letters.find(within)

    async def redrive(self, selection: Selection) -> Moved:
        """Have letters tried again as new."""
        return await self._move(selection, lambda letters: letters.redrive(selection))

    async def discard(self, selection: Selection) -> Moved:
        """Delete letters."""
        return await self._move(selection, lambda letters: letters.discard(selection))

    async def _move(self, selection: Selection, move: Callable[[Letters], Awaitable[int]]) -> Moved:
        if selection.ids is None:
            places = self._some(selection.service, selection.kind)
        else:
            places = [self._places[place] for place in selection.places() if place in self._places]
        counts, unreachable = await _ask(places, move)
        return Moved(
            moved=sum(counts.values()),
            places={str(place): count for place, count in counts.items() if count},
            unreachable=unreachable,
        )

    def _some(self, service: str | None, kind: Kind | None) -> list[Letters]:
        return [
            letters
            for place, letters in self._places.items()
            if service in (None, place.service) and kind in (None, place.kind)
        ]


async def _ask(
    places: Sequence[Letters], question: Callable[[Letters], Awaitable[Answer]]
) -> tuple[dict[Place, Answer], list[Unreachable]]:
    answers: dict[Place, Answer] = {}
    unreachable: list[Unreachable] = []

    async def ask(letters: Letters) -> None:
        try:
            answers[letters.place] = await question(letters)
        except Unavailable as error:
            unreachable.append(Unreachable(place=str(letters.place), reason=str(error)))
        except Exception as error:
            # One place's fault hides no other place, and is not hidden by them.
            log.exception("dead_letters_unreadable", place=str(letters.place))
            reason = f"{type(error).__name__}: it cannot be read; the log says more"
            unreachable.append(Unreachable(place=str(letters.place), reason=reason))

    await asyncio.gather(*(ask(letters) for letters in places))
    return answers, sorted(unreachable, key=lambda one: one.place)
