"""`sigmasight dlq`: look at dead letters, have them tried again, or delete them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Protocol, TypeVar

import typer
from pydantic import BaseModel, ValidationError
from rich.console import Console

from common.dead_letters import (
    Kind,
    Moved,
    Overview,
    Place,
    QueueLetters,
    Selection,
    UnknownPlace,
    WholeLetter,
    Workbench,
)
from common.errors import said_of
from common.events.topology import TOPOLOGY
from common.settings import SERVICES
from deploy.cli.access import bus, connected
from deploy.cli.letter_tables import moved_line, print_letter, print_overview, unreachable_lines
from deploy.cli.sentences import FAILED, fail, sentences

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Dead letters: what was given up, and why."
)

LETTERS_SHOWN = 20

Group = Annotated[str | None, typer.Option(help="Those of one cause, by its group.")]
Service = Annotated[str | None, typer.Option(help="Only this service's.")]
KindOption = Annotated[
    Kind | None, typer.Option(help="Only messages of queues, or only rows of work tables.")
]
Url = Annotated[
    str | None, typer.Option(help="The gateway; else SIGMASIGHT_URL, or this machine's.")
]
Token = Annotated[
    str | None, typer.Option(help="An administrator's access token; else SIGMASIGHT_TOKEN.")
]
OverBus = Annotated[
    bool,
    typer.Option(
        "--bus", help="Reach the queues directly, when the system is down; no work tables then."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Letters, by their ids.")]
All = Annotated[bool, typer.Option("--all", help="All letters there are.")]


Answer = TypeVar("Answer")


class Bench(Protocol):
    """Letters, wherever they are reached: `Workbench`, or `Client` over REST."""

    async def look(
        self,
        *,
        service: str | None = None,
        kind: Kind | None = None,
        group: str | None = None,
        limit: int = 100,
    ) -> Overview:
        """Return causes and letters."""
        ...

    async def find(self, letter_id: str) -> WholeLetter | None:
        """Return one letter, or None."""
        ...

    async def redrive(self, selection: Selection) -> Moved:
        """Have letters tried again."""
        ...

    async def discard(self, selection: Selection) -> Moved:
        """Delete letters."""
        ...


@app.command("list")
def list_letters(
    *,
    group: Group = None,
    service: Service = None,
    kind: KindOption = None,
    letters: Annotated[
        bool, typer.Option("--letters", help="Single letters too, as with --group.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="How many.")] = LETTERS_SHOWN,
    url: Url = None,
    token: Token = None,
    over_bus: OverBus = False,
    as_json: AsJson = False,
) -> None:
    """List what was given up, by cause; the letters of one cause with --group."""
    wanted = limit if letters or group or as_json else 0
    _known(service)

    async def look(bench: Bench) -> Overview:
        return await bench.look(service=service, kind=kind, group=group, limit=wanted)

    found = _with_bench(look, url, token, over_bus=over_bus)
    if as_json:
        _print_json(found)
    else:
        print_overview(found, Console())
    _end(unreachable_lines(found.unreachable))


@app.command("show")
def show_letter(
    letter_id: Annotated[str, typer.Argument(help="A letter's id, as list shows it.")],
    *,
    url: Url = None,
    token: Token = None,
    over_bus: OverBus = False,
    as_json: AsJson = False,
) -> None:
    """Show one letter whole: what it says, why it was given up, and whose flow it belongs to."""
    try:
        Place.of(letter_id)
    except UnknownPlace as error:
        raise typer.BadParameter(f"{error}.") from error

    async def find(bench: Bench) -> WholeLetter | None:
        return await bench.find(letter_id)

    letter = _with_bench(find, url, token, over_bus=over_bus)
    if letter is None:
        fail(f"There is no dead letter {letter_id}: it may have been redriven or discarded.")
    if as_json:
        _print_json(letter)
    else:
        print_letter(letter, Console())


@app.command("redrive")
def redrive(
    *,
    ids: Ids = None,
    group: Group = None,
    everything: All = False,
    service: Service = None,
    kind: KindOption = None,
    url: Url = None,
    token: Token = None,
    over_bus: OverBus = False,
    as_json: AsJson = False,
) -> None:
    """Have letters tried again as new: some by id, those of one cause, or --all.

    Harmless when repeated: what was moved is not there to be moved again.
    """
    selection = _selection(ids, group, service, kind, everything=everything)

    async def move(bench: Bench) -> Moved:
        return await bench.redrive(selection)

    _told(_with_bench(move, url, token, over_bus=over_bus), "redriven", as_json=as_json)


@app.command("discard")
def discard(
    *,
    ids: Ids = None,
    group: Group = None,
    everything: All = False,
    service: Service = None,
    kind: KindOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before deleting all.")] = False,
    url: Url = None,
    token: Token = None,
    over_bus: OverBus = False,
    as_json: AsJson = False,
) -> None:
    """Delete letters for good: some by id, those of one cause, or --all."""
    selection = _selection(ids, group, service, kind, everything=everything)
    if everything and not yes:

        async def look(bench: Bench) -> Overview:
            return await bench.look(service=service, kind=kind, limit=1)

        there = _with_bench(look, url, token, over_bus=over_bus).total
        if not there:
            typer.echo("There are no dead letters to discard.")
            raise typer.Exit
        typer.confirm(f"Delete {there} dead letters for good?", abort=True, err=True)

    async def move(bench: Bench) -> Moved:
        return await bench.discard(selection)

    _told(_with_bench(move, url, token, over_bus=over_bus), "discarded", as_json=as_json)


def _with_bench(
    act: Callable[[Bench], Awaitable[Answer]],
    url: str | None,
    token: str | None,
    *,
    over_bus: bool,
) -> Answer:
    async def acting() -> Answer:
        async with _bench(url, token, over_bus=over_bus) as bench:
            return await act(bench)

    with sentences():
        return asyncio.run(acting())


@asynccontextmanager
async def _bench(url: str | None, token: str | None, *, over_bus: bool) -> AsyncIterator[Bench]:
    if over_bus:
        async with bus() as opened:
            yield Workbench([QueueLetters(opened, queue.name) for queue in TOPOLOGY.queues])
    else:
        async with connected(url, token) as client:
            yield client


def _selection(
    ids: list[str] | None,
    group: str | None,
    service: str | None,
    kind: Kind | None,
    *,
    everything: bool,
) -> Selection:
    try:
        return Selection.model_validate(
            {
                "ids": tuple(ids) if ids else None,
                "group": group,
                "all": True if everything else None,
                "service": service,
                "kind": kind,
            }
        )
    except ValidationError as error:
        said = said_of(error.errors()[0]).replace('"all": true', "--all")
        raise typer.BadParameter(f"{said}.") from error


def _known(service: str | None) -> None:
    if service is not None and service not in SERVICES:
        raise typer.BadParameter(f"the services are {', '.join(SERVICES)}.", param_hint="--service")


def _told(moved: Moved, what: str, *, as_json: bool) -> None:
    if as_json:
        _print_json(moved)
    else:
        typer.echo(moved_line(moved, what))
    _end(unreachable_lines(moved.unreachable))


def _end(unreachable: list[str]) -> None:
    for line in unreachable:
        typer.echo(line, err=True)
    if unreachable:
        raise typer.Exit(FAILED)


def _print_json(model: BaseModel) -> None:
    typer.echo(model.model_dump_json(indent=2))
