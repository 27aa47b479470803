"""The OpenAPI document of the whole system, made as the gateway makes it, with nothing running."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.bus.connect import connect
from common.events.topology import TOPOLOGY
from common.service import Platform
from common.settings import SERVICES, SharedSettings
from deploy.embedded.services import BUILD
from gateway.domain.openapi import merge

NOWHERE = "postgresql://nobody@localhost/nothing"
"""Services are composed, not started: nothing is opened before it is used."""


def openapi() -> dict[str, Any]:
    """Return the merged document of all services."""
    with TemporaryDirectory() as home:
        platform = Platform(
            shared=SharedSettings(database_url=NOWHERE),
            bus=connect(NOWHERE, TOPOLOGY),
            addresses=dict.fromkeys(SERVICES, "http://localhost"),
            home=Path(home),
            internal_token="",
        )
        documents = {name: build(platform).app.openapi() for name, build in BUILD.items()}
    return merge(documents.pop("gateway"), documents, silent=())
