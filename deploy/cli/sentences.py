"""How a command ends: 0 done, 1 failed, 2 asked for wrongly; trouble is one sentence on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import httpx
import typer
from pydantic import ValidationError

from common.errors import Unavailable
from common.text import printable
from deploy.cli.client import Refused

FAILED = 1


def fail(sentence: str) -> NoReturn:
    """Say what went wrong and end with status 1."""
    told = printable(" ".join(sentence.split()))
    typer.echo(f"{told[:1].upper()}{told[1:].rstrip('.')}.", err=True)
    raise typer.Exit(FAILED)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn whatever goes wrong inside into a sentence: an operator reads no traceback."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Refused as refused:
        fail(_refusal(refused))
    except httpx.TransportError as error:
        where = error.request.url.copy_with(path="/", query=None) if _has_request(error) else ""
        fail(f"The system does not answer at {where}: {str(error) or type(error).__name__}.")
    except Unavailable as error:
        fail(f"Not reachable: {error}.")
    except ValidationError as error:
        # Here, because it brings all of the web and the database along.
        from common.process import settings_sentence

        fail(f"The settings are wrong: {settings_sentence(error)}.")
    except (ValueError, OSError) as error:
        fail(f"{error}.")
    except Exception as error:  # noqa: BLE001 - what a database or broker says has many types
        fail(f"{type(error).__name__}: {error}")


def _refusal(refused: Refused) -> str:
    if refused.status == httpx.codes.UNAUTHORIZED:
        return (
            f"{refused} Give --token, or set SIGMASIGHT_TOKEN, or SIGMASIGHT_EMAIL and "
            "SIGMASIGHT_PASSWORD."
        )
    return str(refused)


def _has_request(error: httpx.TransportError) -> bool:
    return getattr(error, "_request", None) is not None
