"""Where a process keeps what must survive a restart and nobody else may read."""

import os
import secrets
from pathlib import Path

from pydantic import Field

from common.settings import EnvironmentSettings


class HomeSettings(EnvironmentSettings):
    """Where the home is."""

    sigmasight_home: Path = Field(default=Path("~/.local/share/sigmasight"))

    @property
    def home(self) -> Path:
        """Return the absolute path."""
        return self.sigmasight_home.expanduser().absolute()


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody else may read (mode 0600); it appears whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def database_address(home: Path) -> Path:
    """Return the file that holds the embedded database's address while it runs."""
    return home / "database-url"


def kept_secret(home: Path, name: str) -> str:
    """Return the secret of this name, made on the first call (mode 0600); OSError if it cannot be.

    Processes starting together agree: only one of them makes the file.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / name
    draft = home / f".{name}.{secrets.token_hex(4)}"
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
        try:
            # A link appears whole or not at all, and never replaces another's.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
