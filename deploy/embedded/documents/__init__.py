"""The documents that are generated from code, and the check that they still say what it says.

`python -m deploy.embedded.documents` compares; with `--write` it writes.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from common.errors import CommonCode, ErrorCode
from common.events import COMMANDS, EVENTS, Envelope, Message
from common.events.topology import COMMANDS_EXCHANGE, EVENTS_EXCHANGE, TOPOLOGY
from common.metrics import Metric
from common.settings import SERVICES, schema_of
from gateway.domain.routes import MIB, ROUTES

ROOT = Path(__file__).resolve().parents[2]


def documents() -> dict[Path, str]:
    """Return every generated document's text by its path from the repository's root."""
    found = {
        Path("docs/errors.md"): errors_page(),
        Path("docs/routes.md"): routes_page(),
        Path("docs/metrics.md"): metrics_page(),
        Path("services/gateway/gateway/errors.json"): _json(list(_errors())),
        Path("docs/events/asyncapi.json"): _json(asyncapi()),
    }
    for contract in (*EVENTS, *COMMANDS):
        path = Path("tests/contract/schemas") / f"{contract.routing_key()}.json"
        found[path] = _json(contract.model_json_schema())
    return found


def errors_page() -> str:
    """Return the table of all error codes, by service."""
    lines = [
        "# Errors",
        "",
        "Generated from the services' code enums by `make documents WRITE=1`; do not edit.",
        "",
        "Every error of every service has one body: `detail` is a sentence, `error.code` is one of",
        "the codes below, `error.details.errors[]` lists every fault where there are several.",
    ]
    service = ""
    for row in _errors():
        if row["service"] != service:
            service = row["service"]
            lines += ["", f"## {service}", "", "| code | status | when | how to mend it |"]
            lines += ["|---|---|---|---|"]
        anchor = f'<a id="{row["code"]}"></a>`{row["code"]}`'
        lines.append(f"| {anchor} | {row['status']} | {row['meaning']} | {row['remedy']} |")
    return "\n".join(lines) + "\n"


def routes_page() -> str:
    """Return the gateway's table: who owns which address, who may pass, how much and how long."""
    lines = [
        "# Routes",
        "",
        "Generated from the gateway's route table by `make documents WRITE=1`; do not edit.",
        "",
        "The longest matching prefix wins; what no prefix covers answers 404, and nothing covers",
        "`/internal`. The gateway serves `/`, `/docs`, `/openapi.json`, `/errors`, `/health*`,",
        "`/metrics`, `/api/v1/events` and `/api/v1/portfolio/{}/events`. `/api/v1/data/portfolios`",
        "and `/api/v1/data/positions` mix owners: onboarding answers, and asks risk-engine's",
        "`/internal/valuations` once for the numbers.",
        "",
        "| prefix | owner | access | body | silent for at most |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| `{route.path}` | {route.service} | {route.access.value} "
        f"| {route.body_limit // MIB} MiB | {route.timeout:.0f} s |"
        for route in sorted(ROUTES, key=lambda route: route.path)
    ]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return the table of all metrics."""
    lines = [
        "# Metrics",
        "",
        "Generated from `common.metrics` by `make documents WRITE=1`; do not edit.",
        "",
        "Every service serves its own at `/metrics`, each with the label `service`. Of a histogram",
        "there are `_bucket` (with the label `le`), `_sum` and `_count`; times are in seconds. A",
        "gauge is looked at every five seconds and is NaN while what it tells cannot be found out.",
        "",
        "| metric | kind | labels | of | meaning |",
        "|---|---|---|---|---|",
    ]
    for metric in Metric:
        spec = metric.spec
        labels = ", ".join(f"`{label}`" for label in spec.labels) or "-"
        meaning = spec.meaning.replace("|", "\\|")
        lines.append(
            f"| `{metric.exported}` | {spec.kind} | {labels} | {spec.owner or 'all'} | {meaning} |"
        )
    return "\n".join(lines) + "\n"


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3 document of every event and command, and of who hears them."""
    messages = {
        contract.routing_key(): {
            "name": contract.routing_key(),
            "summary": (contract.__doc__ or "").strip().splitlines()[0],
            "payload": {"$ref": f"#/components/schemas/{contract.routing_key()}"},
        }
        for contract in (*EVENTS, *COMMANDS)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SigmaSight events",
            "version": "0.1.0",
            "description": (
                "Bodies are envelopes (components.schemas.Envelope) with the message as payload. "
                f"Events go to the topic exchange {EVENTS_EXCHANGE}, commands to the direct "
                f"exchange {COMMANDS_EXCHANGE}; the routing key is name.v<version>."
            ),
        },
        "channels": {
            key: {"address": key, "messages": {key: {"$ref": f"#/components/messages/{key}"}}}
            for key in messages
        },
        "operations": dict(_operations()),
        "components": {
            "messages": messages,
            "schemas": {
                "Envelope": _schema("Envelope", Envelope),
                **{
                    contract.routing_key(): _schema(contract.routing_key(), contract)
                    for contract in (*EVENTS, *COMMANDS)
                },
            },
        },
    }


def _operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for queue in TOPOLOGY.queues:
        for contract in (*EVENTS, *COMMANDS):
            key = contract.routing_key()
            if queue.wants(key):
                channel = {"$ref": f"#/channels/{key.replace('/', '~1')}"}
                yield f"{queue.name} hears {key}", {"action": "receive", "channel": channel}


def _schema(name: str, model: type[Message] | type[Envelope]) -> dict[str, Any]:
    # What a schema defines for itself stays inside it, under the name it has in the document.
    template = f"#/components/schemas/{name}/$defs/{{model}}"
    return model.model_json_schema(ref_template=template)


def _errors() -> Iterator[dict[str, Any]]:
    for service, codes in _enums():
        for code in codes:
            yield {
                "service": service,
                "code": code.name,
                "status": code.spec.status,
                "meaning": code.spec.meaning,
                "remedy": code.spec.remedy,
            }


def _enums() -> Iterator[tuple[str, Iterable[ErrorCode]]]:
    yield "every service", CommonCode
    for name in SERVICES:
        codes = getattr(import_module(f"{schema_of(name)}.domain"), "Code", None)
        if codes is not None:
            yield name, codes


def _json(document: object) -> str:
    return json.dumps(document, indent=2, sort_keys=False, ensure_ascii=False) + "\n"


def main() -> None:
    """Compare the documents with the code, or write them; status 1 names those that differ."""
    stale = [
        path
        for path, text in documents().items()
        if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]
    if "--write" in sys.argv[1:]:
        for path in stale:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(documents()[path])
        sys.stdout.write(f"{len(stale)} documents written\n")
    elif stale:
        names = ", ".join(str(path) for path in stale)
        sys.exit(f"not what the code says any more: {names}; run `make documents WRITE=1`")


if __name__ == "__main__":
    main()
