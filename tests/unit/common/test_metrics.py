"""Metrics: one table of names, a registry per service, labels that stay few."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from common.metrics import Metric, Metrics, message_label
from common.settings import SERVICES


def families(metrics: Metrics):
    return {one.name: one for one in text_string_to_metric_families(metrics.exposition().decode())}


def test_a_service_has_the_metrics_of_all_and_its_own_and_no_other():
    exposed = set(families(Metrics("gateway")))
    declared = {
        metric.exported.removesuffix("_total")
        for metric in Metric
        if metric.spec.owner in {None, "gateway"}
    }
    assert exposed == declared
    assert "sigmasight_sse_streams" in exposed
    assert "sigmasight_calculation_seconds" not in exposed


def test_every_owner_is_a_service():
    assert {metric.spec.owner for metric in Metric} <= {None, *SERVICES}


def test_two_services_of_one_process_do_not_share_what_they_count():
    auth, chat = Metrics("auth"), Metrics("chat")
    auth.count(Metric.MESSAGE_RETRIES_TOTAL, message="portfolio.created.v1")
    assert families(chat)["sigmasight_message_retries"].samples == []
    (sample,) = families(auth)["sigmasight_message_retries"].samples
    assert sample.labels == {"service": "auth", "message": "portfolio.created.v1"}


def test_what_is_observed_comes_out_as_buckets_sum_and_count():
    metrics = Metrics("auth")
    metrics.observe(Metric.RELAY_SECONDS, 0.02)
    metrics.observe(Metric.RELAY_SECONDS, 7200)
    samples = {
        (one.name.removeprefix("sigmasight_relay_seconds"), one.labels.get("le")): one.value
        for one in families(metrics)["sigmasight_relay_seconds"].samples
    }
    assert samples["_bucket", "0.025"] == 1
    assert samples["_bucket", "3600.0"] == 1
    assert samples["_bucket", "+Inf"] == samples["_count", None] == 2
    assert samples["_sum", None] == pytest.approx(7200.02)


def test_labels_that_the_table_does_not_name_are_refused():
    metrics = Metrics("auth")
    with pytest.raises(ValueError, match="READY has the labels"):
        metrics.set(Metric.READY, 1)
    with pytest.raises(KeyError):
        metrics.set(Metric.READY, 1, dependency="bus")


def test_a_message_that_a_hand_invented_adds_no_label():
    assert message_label("portfolio.created.v1") == "portfolio.created.v1"
    assert message_label("portfolio.stolen.v1") == "unknown"


def test_every_histogram_says_its_buckets_and_only_counters_end_in_total():
    for metric in Metric:
        assert bool(metric.spec.buckets) == (metric.spec.kind == "histogram"), metric
        assert list(metric.spec.buckets) == sorted(metric.spec.buckets)
        assert metric.name.endswith("_TOTAL") == (metric.spec.kind == "counter"), metric
        assert metric.spec.meaning.endswith("."), metric
