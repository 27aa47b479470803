"""The page of all error codes, and the list the gateway shows at `/errors`."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from common.errors import CommonCode, ErrorCode
from common.settings import SERVICES, schema_of


def error_rows() -> Iterator[dict[str, Any]]:
    """Return a row for every code, by service."""
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
    for row in error_rows():
        if row["service"] != service:
            service = row["service"]
            lines += ["", f"## {service}", "", "| code | status | when | how to mend it |"]
            lines += ["|---|---|---|---|"]
        anchor = f'<a id="{row["code"]}"></a>`{row["code"]}`'
        lines.append(f"| {anchor} | {row['status']} | {row['meaning']} | {row['remedy']} |")
    return "\n".join(lines) + "\n"
