"""Where Prometheus finds the services of one machine: a file it watches, written at each start.

Hosted together, services listen on whatever ports are free, and only the gateway's is announced. A
scrape configuration that names the file (`deploy/prometheus/laptop.yml`) follows them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

TARGETS = "targets.json"


def write_targets(home: Path, addresses: Mapping[str, str]) -> Path:
    """Write the services' base URLs as Prometheus' `file_sd_configs` want them; return the file."""
    groups = [
        {"targets": [urlsplit(address).netloc], "labels": {"service": service}}
        for service, address in sorted(addresses.items())
    ]
    path = home / TARGETS
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(groups, indent=2) + "\n")
    draft.replace(path)  # whoever watches it sees the whole of it
    return path
