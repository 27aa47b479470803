"""The services' own OpenAPI documents."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from common.client import ServiceClient
from common.errors import Unavailable

log = structlog.get_logger()

PATIENCE_SECONDS = 3.0


async def fetch_documents(clients: Mapping[str, ServiceClient]) -> dict[str, dict[str, Any]]:
    """Return the documents of the services that answer, by service."""
    found = await asyncio.gather(*(_document(name, client) for name, client in clients.items()))
    return {
        name: document
        for name, document in zip(clients, found, strict=True)
        if document is not None
    }


async def _document(service: str, client: ServiceClient) -> dict[str, Any] | None:
    try:
        answer = await client.get("/openapi.json", timeout=PATIENCE_SECONDS)
    except Unavailable as error:
        log.info("document_missing", documented=service, reason=str(error))
        return None
    if answer.status_code != 200:
        log.info("document_missing", documented=service, reason=f"status {answer.status_code}")
        return None
    document: dict[str, Any] = answer.json()
    return document
