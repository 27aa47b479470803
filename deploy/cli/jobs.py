"""`sigmasight run job`: the operator's message, put on the bus for the scheduler to take."""

import asyncio
import getpass
import json
import os
from datetime import UTC, date, datetime
from typing import Annotated, Literal
from uuid import UUID, uuid4

import typer

from common.calendar import is_closed
from common.events import Envelope
from common.events.scheduler import RunJob
from deploy.cli.access import bus
from deploy.cli.sentences import sentences

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Run jobs.")

Job = Literal["calculate", "nightly"]


@app.callback()
def run() -> None:
    """Run jobs."""


@app.command("job")
def run_job(
    job: Annotated[Job, typer.Argument(help="nightly: all there is to do; calculate: results.")],
    portfolio: Annotated[
        list[UUID] | None,
        typer.Option(help="Only this portfolio; may be repeated. All when left out."),
    ] = None,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The session; the last closed one if left out."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Open a new run though the same one is open.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask the scheduler for a job, by message: it waits on the bus until the scheduler is up.

    The bus is that of BROKER, else of DATABASE_URL, else of the system embedded on this machine.
    """
    session = None if as_of is None else _session(as_of.date())
    command = RunJob(
        job=job,
        as_of=session,
        portfolio_ids=tuple(portfolio) if portfolio else None,
        force=force,
        requested_by=_operator(),
    )
    run_id = uuid4()
    with sentences():
        asyncio.run(_publish(Envelope.of(command, producer="cli", run_id=run_id)))
    if as_json:
        typer.echo(json.dumps({"run_id": str(run_id), **command.model_dump(mode="json")}))
        return
    typer.echo(f"Asked for the job {job}: run {run_id}.")
    typer.echo("GET /api/v1/admin/batch/runs shows how far it is. When the same job is open")
    typer.echo("already, the open run answers instead of a new one, unless --force is given.")


async def _publish(envelope: Envelope) -> None:
    async with bus() as opened:
        # Before the first start of the system there is no queue yet that could keep the message.
        await opened.declare()
        await opened.publish([envelope])


def _session(day: date) -> date:
    # What is impossible would become a dead letter there: it is cheaper to say so here.
    try:
        closed = is_closed(day, datetime.now(UTC))
    except ValueError as error:
        raise typer.BadParameter(f"{error}.", param_hint="--as-of") from error
    if not closed:
        raise typer.BadParameter(f"the session of {day} has not closed yet.", param_hint="--as-of")
    return day


def _operator() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"
