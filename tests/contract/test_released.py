"""What has been released stays: schemas, routes, and the meaning of old messages."""

import json
import shutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from common.events import COMMANDS, EVENTS, Envelope, Message
from common.settings import SERVICES, schema_of
from deploy.embedded.documents import GOLDEN, OPENAPI, ROOT, SCHEMAS, as_text
from deploy.embedded.documents.__main__ import check
from deploy.embedded.documents.released import MANIFEST, RELEASED, refusals, release, tampered
from tests.support.contracts import faults_of

CONTRACTS = (*EVENTS, *COMMANDS)
FILES = sorted((ROOT / GOLDEN).rglob("*.json"))
CREATED = SCHEMAS / "portfolio.created.v1.json"

Made = dict[Path, str]


def golden(contract: type[Message], name: str) -> dict[str, Any]:
    path = ROOT / GOLDEN / contract.routing_key() / f"{name}.json"
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def goldens(contract: type[Message]) -> list[Message]:
    key = contract.routing_key()
    return [
        read(json.loads(path.read_text())["body"], key) for path in FILES if path.parent.name == key
    ]


def read(body: Mapping[str, Any], routing_key: str) -> Message:
    return Envelope.from_bytes(json.dumps(body).encode(), routing_key).message()


# --- old messages --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_message_is_read_and_means_what_it_always_meant(path: Path):
    kept = json.loads(path.read_text())
    routing_key = path.parent.name
    meant = read(kept["body"], routing_key).model_dump(mode="json")
    assert faults_of(routing_key, kept["body"]) == []
    assert contained(kept["means"], meant) == kept["means"]


def contained(wanted: Any, found: Any) -> Any:
    """Return what was found of what is wanted: fields that came later are left out."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {key: contained(wanted[key], found[key]) for key in wanted if key in found}
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [contained(one, other) for one, other in zip(wanted, found, strict=True)]
    return found


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.routing_key())
def test_every_contract_has_a_golden_message_with_all_fields_and_one_with_the_least(contract):
    # A field that came after a release is in a message beside the frozen one.
    full = read(golden(contract, "full")["body"], contract.routing_key())
    parts = [part for one in goldens(contract) for part in models(one)]
    for model in {type(part) for part in models(full)}:
        whole = [part for part in parts if isinstance(part, model)]
        assert any(part.model_fields_set == set(model.model_fields) for part in whole), model
    if all(not optional(type(part)) for part in models(full)):
        return
    least = read(golden(contract, "minimal")["body"], contract.routing_key())
    for part in models(least):
        assert not part.model_fields_set & optional(type(part)), type(part)


def models(value: Any) -> Iterator[BaseModel]:
    if isinstance(value, BaseModel):
        yield value
        for name in type(value).model_fields:
            yield from models(getattr(value, name))
    elif isinstance(value, tuple):
        for one in value:
            yield from models(one)


def optional(model: type[BaseModel]) -> set[str]:
    return {name for name, field in model.model_fields.items() if not field.is_required()}


# --- releases that run side by side --------------------------------------------------------------

HEARD = [
    pytest.param(service, contract, id=f"{service} hears {contract.routing_key()}")
    for service in SERVICES
    if service != "onboarding"  # hears nothing
    for contract, _ in import_module(f"{schema_of(service)}.handlers").SUBSCRIPTIONS
]


def with_unknown(value: Any) -> Any:
    """Return a payload as the next release might send it: a new field in every object."""
    if isinstance(value, dict):
        known = {name: with_unknown(one) for name, one in value.items()}
        return {**known, "of_the_next_release": {"deep": [1, None]}}
    return [with_unknown(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("service", "contract"), HEARD)
def test_a_consumer_reads_the_last_release_and_the_next(service: str, contract: type[Message]):
    key = contract.routing_key()
    least = "minimal" if (ROOT / GOLDEN / key / "minimal.json").exists() else "full"
    last = golden(contract, least)["body"]
    following = {**last, "of_the_next_release": 1, "payload": with_unknown(last["payload"])}
    if "engines" in following["payload"]:  # its keys are data, not fields
        del following["payload"]["engines"]["of_the_next_release"]
    assert type(read(last, key)) is contract
    assert read(following, key) == read(last, key)
    assert faults_of(key, following) == []


# --- what is frozen ------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of everything the gate looks at."""
    for folder in (SCHEMAS, RELEASED, GOLDEN):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for file in (OPENAPI, Path("pyproject.toml")):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    return tmp_path


@pytest.fixture
def made(root: Path) -> Made:
    """The documents as code that changed nothing would make them."""
    paths = [OPENAPI, *(path.relative_to(root) for path in (root / SCHEMAS).glob("*.json"))]
    return {path: (root / path).read_text() for path in paths}


def edited(text: str, *place: str, value: Any = None) -> str:
    document = inside = json.loads(text)
    for step in place[:-1]:
        inside = inside[step]
    if value is None:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return as_text(document)


def test_what_is_committed_breaks_nothing_that_was_released(made: Made):
    assert tampered() == []
    assert refusals(made) == []


def test_a_breaking_schema_is_not_written_and_a_new_version_is_advised(root: Path, made: Made):
    before = (root / CREATED).read_text()
    made[CREATED] = edited(made[CREATED], "$defs", "Book", "properties", "currency")
    with pytest.raises(SystemExit, match=r"portfolio.created.v1: book.currency: the field was"):
        check(made, write=True, root=root)
    with pytest.raises(SystemExit, match="Add a class with the next VERSION"):
        check(made, write=True, root=root)
    assert (root / CREATED).read_text() == before


def test_editing_the_committed_schema_along_with_the_code_does_not_help(root: Path, made: Made):
    made[CREATED] = edited(made[CREATED], "$defs", "Book", "properties", "currency")
    (root / CREATED).write_text(made[CREATED])
    with pytest.raises(SystemExit, match=r"portfolio\.created"):
        check(made, write=False, root=root)


def test_a_new_optional_field_is_written(root: Path, made: Made):
    added = {"type": "string", "default": ""}
    made[CREATED] = edited(made[CREATED], "$defs", "Book", "properties", "note", value=added)
    assert check(made, write=True, root=root) == "1 documents written, 0 removed"
    assert (root / CREATED).read_text() == made[CREATED]
    assert check(made, write=False, root=root) == "the documents say what the code says"


def test_a_stale_document_is_named(root: Path, made: Made):
    made[CREATED] = edited(made[CREATED], "description", value="Other words.")
    with pytest.raises(SystemExit, match=r"not what the code says any more: .*portfolio.created"):
        check(made, write=False, root=root)


def test_a_released_contract_cannot_go(root: Path, made: Made):
    del made[CREATED]
    with pytest.raises(SystemExit, match=r"portfolio.created.v1: was released and has no class"):
        check(made, write=True, root=root)


def test_a_contract_that_was_never_released_may_change_by_beginning_anew(root: Path, made: Made):
    path = SCHEMAS / "order.placed.v1.json"
    made[path] = as_text({"type": "object", "properties": {"n": {"type": "integer"}}})
    check(made, write=True, root=root)
    made[path] = edited(made[path], "properties", "n", value={"type": "string"})
    with pytest.raises(SystemExit, match="delete its schema file to begin it anew"):
        check(made, write=True, root=root)
    (root / path).unlink()
    check(made, write=True, root=root)
    del made[path]
    assert check(made, write=True, root=root) == "0 documents written, 1 removed"


def test_a_released_route_cannot_go(root: Path, made: Made):
    made[OPENAPI] = edited(made[OPENAPI], "paths", "/api/v1/auth/me")
    with pytest.raises(SystemExit, match="GET /api/v1/auth/me: was removed"):
        check(made, write=True, root=root)


@pytest.mark.parametrize(
    ("version", "may_go"),
    [("0.2.1", False), ("0.3.0", True), ("0.1.9", False), ("1.0.0", False), ("1.3.0", False)],
)
def test_before_one_a_minor_version_may_begin_the_routes_anew(
    root: Path, made: Made, version: str, may_go: bool
):
    settings = root / "pyproject.toml"
    settings.write_text(settings.read_text().replace('version = "0.2.0"', f'version = "{version}"'))
    made[OPENAPI] = edited(made[OPENAPI], "paths", "/api/v1/auth/me")
    assert (refusals(made, root) == []) is may_go


@pytest.mark.parametrize(
    "path", [RELEASED / "events" / CREATED.name, GOLDEN / "portfolio.created.v1/full.json"]
)
def test_what_is_frozen_cannot_be_edited_by_hand(root: Path, made: Made, path: Path):
    (root / path).write_text((root / path).read_text().replace("currency", "money"))
    since = json.loads((root / RELEASED / "manifest.json").read_text())[path.as_posix()]["since"]
    with pytest.raises(SystemExit, match=f"{path.name} was changed after {since}"):
        check(made, write=True, root=root)


def test_a_file_that_no_release_brought_is_not_taken_for_frozen(root: Path):
    (root / RELEASED / "events" / "order.placed.v1.json").write_text("{}")
    (fault,) = tampered(root)
    assert "order.placed.v1.json is not in the manifest" in fault


def test_a_release_freezes_what_is_new_and_repeats_nothing(root: Path, made: Made):
    assert release(made, root) == []
    path = SCHEMAS / "order.placed.v1.json"
    made[path] = as_text({"type": "object", "properties": {}})
    check(made, write=True, root=root)
    assert release(made, root) == ["tests/contract/released/events/order.placed.v1.json"]
    since = json.loads((root / MANIFEST).read_text())
    assert since["tests/contract/released/events/order.placed.v1.json"]["since"] == "0.2.0"
    assert tampered(root) == []
    del made[path]
    assert refusals(made, root)


def test_a_release_of_stale_documents_is_refused(root: Path, made: Made):
    made[CREATED] = edited(made[CREATED], "description", value="Other words.")
    with pytest.raises(ValueError, match="run `make documents WRITE=1`"):
        release(made, root)
