"""What has been released, frozen: schemas, routes and golden messages that stay as they are.

Only `make release-contracts` extends it. `manifest.json` holds the digest of every frozen file and
the release it came with, so that an edit by hand shows.
"""

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from deploy.embedded.documents import GOLDEN, OPENAPI, ROOT, SCHEMAS, as_text, documents
from deploy.embedded.documents.gate import breaking_changes, breaking_routes

RELEASED = Path("tests/contract/released")
MANIFEST = RELEASED / "manifest.json"
ADVICE = (
    "Add a class with the next VERSION beside the old one instead, and publish both while a "
    "consumer of the old one may run (docs/contracts.md)."
)
NEVER_RELEASED = "It was never released: delete its schema file to begin it anew."


def refusals(made: Mapping[Path, str], root: Path = ROOT) -> list[str]:
    """Return why these documents must not take the place of what is committed or released."""
    return [*_events(made, root), *_routes(made, root)]


def tampered(root: Path = ROOT) -> list[str]:
    """Return the frozen files that are not what was released, or came without a release."""
    listed = _manifest(root)
    here = {
        path.relative_to(root).as_posix()
        for path in (root / RELEASED).rglob("*.json")
        if path != root / MANIFEST
    }
    return [
        *(
            f"{name} was changed after {entry['since']}"
            for name, entry in listed.items()
            if not (root / name).exists() or _digest(root / name) != entry["sha256"]
        ),
        *(f"{name} is not in the manifest" for name in sorted(here - listed.keys())),
    ]


def release(made: Mapping[Path, str], root: Path = ROOT) -> list[str]:
    """Freeze the contracts as they are; return what was added or extended.

    ValueError when the committed documents are not the ones made, or one would break.
    """
    stale = [str(path) for path, text in made.items() if _text(root / path) != text]
    if stale:
        raise ValueError(
            f"not what the code says: {', '.join(stale)}; run `make documents WRITE=1`"
        )
    if faults := [*tampered(root), *refusals(made, root)]:
        raise ValueError("\n".join(faults))
    version = _version(root)
    manifest, news = _manifest(root), []
    for source, target in _to_freeze(made, root):
        name = target.as_posix()
        text = (root / source).read_text()
        if _text(root / target) == text and name in manifest:
            continue
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / target).write_text(text)
        manifest[name] = {"sha256": _digest(root / target), "since": version}
        news.append(name)
    (root / MANIFEST).write_text(as_text(dict(sorted(manifest.items()))))
    return news


def _events(made: Mapping[Path, str], root: Path) -> Iterator[str]:
    for place in (RELEASED / "events", SCHEMAS):
        for path in sorted((root / place).glob("*.json")):
            released = (root / RELEASED / "events" / path.name).exists()
            new = made.get(SCHEMAS / path.name)
            if new is None:
                if released and place != SCHEMAS:
                    yield f"{path.stem}: was released and has no class any more. {ADVICE}"
                continue
            found = breaking_changes(json.loads(path.read_text()), json.loads(new))
            if found and not (released and place == SCHEMAS):
                advice = ADVICE if released else f"{ADVICE} {NEVER_RELEASED}"
                yield f"{path.stem}: {'; '.join(found)}. {advice}"


def _routes(made: Mapping[Path, str], root: Path) -> Iterator[str]:
    released = _text(root / RELEASED / "openapi.json")
    if released is not None and not _begins_anew(root):
        for fault in breaking_routes(json.loads(released), json.loads(made[OPENAPI])):
            yield f"{fault}. Add another route instead, and keep this one (docs/contracts.md)."


def _begins_anew(root: Path) -> bool:
    """Say whether routes may change as they like: before 1.0.0 a minor version may (SemVer, 4)."""
    frozen = _manifest(root).get((RELEASED / "openapi.json").as_posix())
    if frozen is None:
        return True
    (major, minor, _), (old_major, old_minor, _) = map(_numbers, (_version(root), frozen["since"]))
    return major == old_major == 0 and minor > old_minor


def _version(root: Path) -> str:
    text = (root / "pyproject.toml").read_text()
    version: str = tomllib.loads(text)["project"]["version"]
    return version


def _numbers(version: str) -> tuple[int, int, int]:
    major, minor, patch = version.split(".")
    return int(major), int(minor), int(patch)


def _to_freeze(made: Mapping[Path, str], root: Path) -> Iterator[tuple[Path, Path]]:
    yield OPENAPI, RELEASED / "openapi.json"
    for path in made:
        if path.parent == SCHEMAS:
            yield path, RELEASED / "events" / path.name
    for path in sorted((root / GOLDEN).rglob("*.json")):
        yield path.relative_to(root), path.relative_to(root)  # frozen where they are


def _manifest(root: Path) -> dict[str, Any]:
    text = _text(root / MANIFEST)
    manifest: dict[str, Any] = json.loads(text) if text else {}
    return manifest


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    try:
        frozen = release(documents())
    except ValueError as error:
        sys.exit(str(error))
    sys.stdout.write(
        f"{len(frozen)} contracts frozen\n" + "".join(f"  {name}\n" for name in frozen)
    )
