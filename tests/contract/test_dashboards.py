"""What dashboards and alerts ask is what services export: names, labels, and PromQL's grammar."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.metrics import Metric
from common.settings import SERVICE_PORTS, SERVICES
from tests.support.system import ROOT

PROMETHEUS = ROOT / "deploy/prometheus"
DASHBOARDS = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
EXPORTED = {
    f"{metric.exported}{suffix}": metric
    for metric in Metric
    for suffix in SUFFIXES[metric.spec.kind]
}
TARGET_LABELS = {"job", "instance", "service"}
"""What Prometheus knows of a target; also all that `up` has."""


def expressions() -> Iterator[tuple[str, str]]:
    """Yield every expression, and where it stands."""
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.stem}: {panel['title']}", target["expr"]


ALL = list(expressions())


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Yield the series an expression selects: their name, and the labels it selects them by."""
    for found in re.finditer(r"\b(up|sigmasight_\w+)\s*(?:\{([^}]*)\})?", expression):
        yield found[1], set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", found[2] or ""))


def problems(expression: str) -> list[str]:
    """Return what the code does not export of what an expression asks for."""
    found, labels = [], {"le"} | TARGET_LABELS
    for name, selected in selectors(expression):
        if name == "up":
            known = TARGET_LABELS
        elif name not in EXPORTED:
            found.append(f"no metric is called {name}")
            continue
        else:
            known = TARGET_LABELS | {*EXPORTED[name].spec.labels}
            labels |= known
            if name.endswith("_bucket"):
                known = known | {"le"}
        found += [f"{name} has no label {label}" for label in selected - known]
    for grouping in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", expression):
        grouped = {label.strip() for label in grouping.split(",") if label.strip()}
        found += [f"nothing selected has the label {label}" for label in grouped - labels]
    return found


@pytest.mark.parametrize(("place", "expression"), ALL, ids=[place for place, _ in ALL])
def test_every_query_asks_for_what_services_export(place, expression):
    assert list(selectors(expression)), f"{place} asks for nothing of ours"
    assert problems(expression) == []


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("rate(sigmasight_relays_total[5m])", "no metric is called sigmasight_relays_total"),
        ("sigmasight_http_request_seconds", "no metric is called sigmasight_http_request_seconds"),
        ("sigmasight_ready{dependency='bus'}", "sigmasight_ready has no label dependency"),
        ("sum by (queue) (sigmasight_queue_depth)", "nothing selected has the label queue"),
        ("up{service='auth', check='bus'}", "up has no label check"),
    ],
)
def test_a_query_that_would_find_nothing_is_seen_caught(expression, problem):
    assert problem in problems(expression)


def test_alerts_and_dashboards_look_at_every_metric():
    asked = {EXPORTED[name] for _, text in ALL for name, _ in selectors(text) if name in EXPORTED}
    assert set(Metric) - asked == set()


def test_every_alert_has_a_sentence_a_severity_a_patience_and_a_test():
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    guide = (ROOT / "docs/operations.md").read_text()
    for rule in group["rules"]:
        name = rule["alert"]
        assert rule["annotations"]["summary"].endswith("."), name
        assert rule["labels"]["severity"] in {"warning", "critical"}, name
        assert rule["for"], name
        assert any(case["alertname"] == name and case["exp_alerts"] for case in cases), name
        assert f"`{name}`" in guide, f"the operations guide does not say what to do about {name}"


def test_every_service_is_scraped_where_it_listens():
    (job,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    scraped = {group["labels"]["service"]: group["targets"] for group in job["static_configs"]}
    assert scraped == {name: [f"{name}:{SERVICE_PORTS[name]}"] for name in SERVICES}


def test_compose_mounts_and_reaches_what_there_is():
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    services = compose["services"]
    observing = {n for n, one in services.items() if one.get("profiles") == ["observability"]}
    assert observing == {"otel-collector", "jaeger", "prometheus", "grafana"}
    for name in observing:
        for mounted in services[name].get("volumes", []):
            source = str(mounted).split(":", maxsplit=1)[0]
            assert not source.startswith(".") or (ROOT / source).exists(), (name, source)
    collector = yaml.safe_load((ROOT / "deploy/otel/collector.yml").read_text())
    (pipeline,) = collector["service"]["pipelines"].values()
    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(collector[kind])
    (exporter,) = collector["exporters"].values()
    assert exporter["endpoint"].split(":")[0] in observing
    provisioned = ROOT / "deploy/grafana/provisioning/datasources/sigmasight.yml"
    for source in yaml.safe_load(provisioned.read_text())["datasources"]:
        assert source["url"].split("/")[2].split(":")[0] in observing


# --- with Prometheus' own tool


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed (Debian: apt install prometheus)")
    return found


def run(*command: str | Path) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_each_alert_fires_when_it_should_and_only_then(promtool):
    run(promtool, "check", "rules", PROMETHEUS / "alerts.yml")
    run(promtool, "test", "rules", PROMETHEUS / "alerts_test.yml")


@pytest.mark.parametrize("name", ["prometheus.yml", "laptop.yml"])
def test_prometheus_accepts_its_configuration(promtool, tmp_path, name):
    # Beside what it names: the host writes targets.json where the laptop's copy stands.
    for file in (name, "alerts.yml"):
        shutil.copy(PROMETHEUS / file, tmp_path)
    (tmp_path / "targets.json").write_text("[]")
    run(promtool, "check", "config", tmp_path / name)


def test_every_query_of_the_dashboards_is_promql(promtool, tmp_path):
    rules = [
        {
            "record": f"dashboard:query:{number}",
            "expr": text.replace("$__rate_interval", "1m").replace("$service", ".*"),
        }
        for number, (_, text) in enumerate(ALL)
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    run(promtool, "check", "rules", path)
