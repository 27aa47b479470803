"""The page of all metrics."""

from common.metrics import Metric


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
