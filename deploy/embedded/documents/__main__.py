"""`python -m deploy.embedded.documents [--write]`; status 1 says what is wrong."""

import sys
from collections.abc import Mapping
from pathlib import Path

from deploy.embedded.documents import ROOT, SCHEMAS, documents
from deploy.embedded.documents.released import refusals, tampered


def check(made: Mapping[Path, str], *, write: bool, root: Path = ROOT) -> str:
    """Compare what was made with what is committed, or write it; return what was found to say.

    Exits with the reasons when a contract would break, or the documents differ and are not written.
    """
    if broken := [*tampered(root), *refusals(made, root)]:
        sys.exit("\n".join(broken))
    stale = [
        path
        for path, text in made.items()
        if not (root / path).exists() or (root / path).read_text() != text
    ]
    # A version that was never released may go; one that was is refused above.
    orphans = [
        path.relative_to(root)
        for path in (root / SCHEMAS).glob("*.json")
        if path.relative_to(root) not in made
    ]
    if write:
        for path in stale:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(made[path])
        for path in orphans:
            (root / path).unlink()
        return f"{len(stale)} documents written, {len(orphans)} removed"
    if stale or orphans:
        names = ", ".join(str(path) for path in (*stale, *orphans))
        sys.exit(f"not what the code says any more: {names}; run `make documents WRITE=1`")
    return "the documents say what the code says"


if __name__ == "__main__":
    sys.stdout.write(f"{check(documents(), write='--write' in sys.argv[1:])}\n")
