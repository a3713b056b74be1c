"""A metric is declared once, and exposed as Prometheus reads it."""

import pytest

from steerco_events.metering import Metrics

LABELS = ["service", "kind"]


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


def lines(metrics: Metrics) -> list[str]:
    return metrics.exposed().decode().splitlines()


def test_a_counter_counts_by_its_labels_and_tells_what_it_means(metrics: Metrics) -> None:
    counter = metrics.counter("things_total", "thing", LABELS, "Things.")
    counter.add("risk", "old")
    counter.add("risk", "old", amount=2)
    counter.add("risk", "new", amount=0)
    assert lines(metrics) == [
        "# HELP things_total Things.",
        "# TYPE things_total counter",
        'things_total{kind="old",service="risk"} 3.0',
        'things_total{kind="new",service="risk"} 0.0',
    ]
    assert metrics.value(counter.about, "risk", "old") == 3
    assert metrics.value(counter.about, "finance", "old") is None


def test_a_gauge_tells_what_is_so_now_until_nothing_is_known_any_more(metrics: Metrics) -> None:
    gauge = metrics.gauge("things_open", "thing", ["service"], "Things that are open.")
    gauge.set(7, "risk")
    gauge.add("risk", amount=-2)
    assert lines(metrics)[-1] == 'things_open{service="risk"} 5.0'
    for _ in range(2):
        gauge.forget("risk")
        assert metrics.value(gauge.about, "risk") is None


def test_a_histogram_has_a_bucket_for_each_bound(metrics: Metrics) -> None:
    histogram = metrics.histogram("things_seconds", "second", ["service"], "How long things take.", [1, 5])
    for seconds in (0.5, 3, 60):
        histogram.observe(seconds, "risk")
    counted = [line.rpartition(" ")[2] for line in lines(metrics) if line.startswith("things_seconds_bucket")]
    assert counted == ["1.0", "2.0", "3.0"]
    assert histogram.about.series == ["things_seconds_bucket", "things_seconds_sum", "things_seconds_count"]


def test_what_was_looked_up_is_exposed_as_it_was_found_and_not_kept(metrics: Metrics) -> None:
    sampled = metrics.sampled("things_there", "thing", ["service"], "Things that are there.")
    found = metrics.exposed([sampled.sample(3, "risk"), sampled.sample(0, "finance")]).decode()
    assert 'things_there{service="risk"} 3.0\nthings_there{service="finance"} 0.0' in found
    assert found.count("# TYPE things_there gauge") == 1
    assert "things_there" not in metrics.exposed().decode()


def test_what_is_declared_is_listed_in_its_order(metrics: Metrics) -> None:
    metrics.sampled("b", "thing", [], "B.")
    metrics.counter("a_total", "thing", LABELS, "A.")
    assert [(each.name, each.kind, tuple(each.labels)) for each in metrics.declared] == [
        ("b", "gauge", ()),
        ("a_total", "counter", ("service", "kind")),
    ]


def test_a_name_is_declared_once(metrics: Metrics) -> None:
    metrics.sampled("things", "thing", [], "Things.")
    with pytest.raises(ValueError, match="things"):
        metrics.sampled("things", "thing", [], "Other things.")
