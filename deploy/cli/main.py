"""`sigmasight`: what an operator does from a terminal."""

import asyncio
import os
import subprocess
import sys
from typing import Annotated

import typer

from common.errors import Unavailable
from common.home import HomeSettings
from common.settings import SERVICES, SharedSettings, schema_of
from common.telemetry import configure_logging
from deploy.cli import jobs, letters
from deploy.cli.access import connected
from deploy.cli.sentences import fail, sentences

app = typer.Typer(
    no_args_is_help=True,
    help="Operate SigmaSight.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
db = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Roles, schemas and migrations.")
app.add_typer(db, name="db")
app.add_typer(jobs.app, name="run")
app.add_typer(letters.app, name="dlq")


@app.callback()
def operate() -> None:
    """Operate SigmaSight."""


@db.command("bootstrap")
def bootstrap_database(
    admin_url: Annotated[str, typer.Option(help="An address whose role may create roles.")],
) -> None:
    """Make the roles and schemas that are missing; existing roles keep their passwords."""
    # Here, so that no other command waits for the database's libraries.
    from common.bootstrap import NotBootstrapped, bootstrap
    from common.db import parse_url
    from common.process import role_secret_of

    shared = SharedSettings()
    try:
        address = parse_url(admin_url)
        # The passwords must be those that the services derive: from their secret or their URL.
        named = shared.model_copy(update={"database_url": shared.database_url or admin_url})
        secret = role_secret_of(named, HomeSettings().home)
        made = asyncio.run(bootstrap(address, namespace=shared.namespace, secret=secret))
    except (Unavailable, NotBootstrapped, ValueError, OSError) as error:
        fail(str(error))
    typer.echo(f"made: {', '.join(made)}" if made else "nothing was missing")


@db.command("upgrade")
def upgrade_database() -> None:
    """Bring every service's schema up to date, each by the service's own migrations."""
    for name in SERVICES:
        ended = subprocess.run(  # noqa: S603 - our own modules
            [sys.executable, "-m", f"{schema_of(name)}.main", "migrate"],
            check=False,
            env=os.environ,
        )
        if ended.returncode != 0:
            fail(f"{name} could not be migrated")
        typer.echo(f"{name}: up to date")


@app.command("login")
def login(
    url: Annotated[str | None, typer.Option(help="The gateway.")] = None,
    email: Annotated[str, typer.Option(envvar="SIGMASIGHT_EMAIL", prompt="E-mail")] = "",
    password: Annotated[
        str, typer.Option(envvar="SIGMASIGHT_PASSWORD", prompt="Password", hide_input=True)
    ] = "",
) -> None:
    """Print an access token: export SIGMASIGHT_TOKEN=$(sigmasight login)."""

    async def token() -> str:
        async with connected(url, None, anonymous=True) as client:
            return await client.login(email, password)

    with sentences():
        typer.echo(asyncio.run(token()))


def main() -> None:
    """Run a command; what is logged meanwhile goes to stderr, and only from warnings on."""
    configure_logging("WARNING")
    app(prog_name="sigmasight")


if __name__ == "__main__":
    main()
