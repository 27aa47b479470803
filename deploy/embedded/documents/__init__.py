"""The documents that are generated from code: one module each, and all of them by path.

`python -m deploy.embedded.documents` compares them with what is committed; `--write` writes them,
unless a contract would break.
"""

import json
from pathlib import Path
from typing import Any

from deploy.embedded.documents.asyncapi import CONTRACTS, asyncapi
from deploy.embedded.documents.errors import error_rows, errors_page
from deploy.embedded.documents.metrics import metrics_page
from deploy.embedded.documents.openapi import openapi
from deploy.embedded.documents.routes import routes_page

ROOT = Path(__file__).resolve().parents[3]
ASYNCAPI = Path("docs/events/asyncapi.json")
OPENAPI = Path("docs/openapi.json")
SCHEMAS = Path("tests/contract/schemas")
GOLDEN = Path("tests/contract/golden")


def documents() -> dict[Path, str]:
    """Return every generated document's text by its path from the repository's root."""
    return {
        Path("docs/errors.md"): errors_page(),
        Path("docs/routes.md"): routes_page(),
        Path("docs/metrics.md"): metrics_page(),
        Path("services/gateway/gateway/errors.json"): as_text(list(error_rows())),
        OPENAPI: as_text(openapi()),
        ASYNCAPI: as_text(asyncapi(ROOT / GOLDEN)),
        **{
            SCHEMAS / f"{contract.routing_key()}.json": as_text(contract.model_json_schema())
            for contract in CONTRACTS
        },
    }


def as_text(document: Any) -> str:
    """Return a document as it is written to a file."""
    return json.dumps(document, indent=2, sort_keys=False, ensure_ascii=False) + "\n"
