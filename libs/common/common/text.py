"""Text that people send: what neither a database, an encoder nor a log line can choke on."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, SecretStr

_REFUSED = frozenset({"Cc", "Cs"})
"""Unicode categories: control characters (NUL too, which Postgres does not store) and surrogates
(halves of a character, which no encoding takes)."""


def is_plain(text: str) -> bool:
    """Whether a text has neither control characters nor surrogates."""
    return not any(unicodedata.category(character) in _REFUSED for character in text)


def printable(text: str) -> str:
    """Return the text with each character that is not plain replaced by U+FFFD."""
    if is_plain(text):
        return text
    return "".join(
        character if is_plain(character) else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def _plain(text: str) -> str:
    if not is_plain(text):
        # Not repeated here: it may be a password.
        raise ValueError("control characters are not allowed")
    return text


def _plain_secret(secret: SecretStr) -> SecretStr:
    _plain(secret.get_secret_value())
    return secret


PlainText = Annotated[str, AfterValidator(_plain)]
"""One line of text as people write it."""
PlainSecret = Annotated[SecretStr, AfterValidator(_plain_secret)]
"""The same, never shown."""
