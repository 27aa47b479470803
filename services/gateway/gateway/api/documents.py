"""Pages for people who build on the system: welcome, the routes of all services, the errors."""

import base64
import hashlib
import html
import re
import time
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from common.client import ServiceClient
from common.errors import ServiceError
from gateway.clients.documents import fetch_documents
from gateway.domain.codes import Code
from gateway.domain.openapi import merge
from gateway.schemas import CATALOGUE, ErrorEntry, Welcome

router = APIRouter(tags=["documents"])

KEPT_SECONDS = 30.0
ASSETS_PATH = "/docs/assets"
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class MergedDocument:
    """The OpenAPI document of the whole system, asked together at most twice a minute."""

    def __init__(self, clients: Mapping[str, ServiceClient]) -> None:
        self._clients = clients
        self._document: dict[str, Any] = {}
        self._made_at = float("-inf")

    async def read(self, app: FastAPI) -> dict[str, Any]:
        """Return the document; one that lacks a service is not kept."""
        if time.monotonic() - self._made_at < KEPT_SECONDS:
            return self._document
        found = await fetch_documents(self._clients)
        silent = sorted(self._clients.keys() - found.keys())
        document = merge(app.openapi(), found, silent)
        if not silent:
            self._document, self._made_at = document, time.monotonic()
        return document


@router.get("/", summary="What this is")
async def welcome(request: Request) -> Welcome:
    """Return the system's name and version."""
    return Welcome(message="SigmaSight: portfolio risk. See /docs.", version=request.app.version)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    """Return one document for all services."""
    merged: MergedDocument = request.app.state.merged_document
    return JSONResponse(await merged.read(request.app))


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """Show the document, to read and to try."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="SigmaSight",
        swagger_js_url=f"{ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS_PATH}/favicon.png",
    )
    return HTMLResponse(page.body, headers={"Content-Security-Policy": _policy_for(page)})


@router.get("/errors", include_in_schema=False)
async def errors(request: Request) -> HTMLResponse:
    """Explain every error code; answers link here by code."""
    catalogue: Traversable = request.app.state.error_catalogue
    if not catalogue.is_file():
        raise ServiceError(Code.ERR_NO_CATALOGUE)
    return HTMLResponse(
        _errors_page(CATALOGUE.validate_json(catalogue.read_bytes())),
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


def assets() -> StaticFiles:
    """Return the scripts and styles of `/docs`, from a package: the page works without internet."""
    return StaticFiles(packages=[("fastapi_offline", "static")])


def _policy_for(page: HTMLResponse) -> str:
    # The page's one script of its own is allowed by its hash, not by `unsafe-inline`.
    scripts = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in _INLINE_SCRIPT.findall(bytes(page.body).decode())
    )
    return (
        f"default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; frame-ancestors 'none'"
    )


def _errors_page(entries: list[ErrorEntry]) -> str:
    rows = "".join(
        f'<tr id="{html.escape(entry.code)}"><td><code>{html.escape(entry.code)}</code></td>'
        f"<td>{entry.status}</td><td>{html.escape(entry.service)}</td>"
        f"<td>{html.escape(entry.meaning)}</td><td>{html.escape(entry.remedy)}</td></tr>\n"
        for entry in entries
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<title>SigmaSight: error codes</title><style>"
        "body{font:16px/1.5 system-ui;margin:2rem;max-width:80rem}"
        "td,th{padding:.4rem .8rem;text-align:left;vertical-align:top}"
        "tr:target{background:#ffef9f}</style></head><body><h1>Error codes</h1>\n"
        "<table><thead><tr><th>Code</th><th>Status</th><th>Service</th><th>Meaning</th>"
        f"<th>What to do</th></tr></thead><tbody>\n{rows}</tbody></table></body></html>\n"
    )
