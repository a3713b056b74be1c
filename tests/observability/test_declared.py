"""The list of metrics holds to its own rules: names, units and labels; and each of it is counted somewhere."""

import re

import pytest

from steerco_events import metrics as of_events
from steerco_events.metering import Counter, Gauge, Histogram, Metric, Sampled
from steerco_service import metrics as of_service
from steerco_service.metrics import METRICS
from tests.observability.known import ROOT

LABELS = {
    "service",
    "source",
    "consumer",
    "shard",
    "view",
    "route",
    "method",
    "status",
    "operation",
    "outcome",
    "code",
    "scope",
}
"""Each of few values, however many people, units and projects there are."""

DECLARED = {
    value.about: name
    for module in (of_events, of_service)
    for name, value in vars(module).items()
    if isinstance(value, Counter | Gauge | Histogram | Sampled)
}
LISTS = ("libs/events/src/steerco_events/metrics.py", "libs/service/src/steerco_service/metrics.py")


@pytest.mark.parametrize("metric", METRICS.declared, ids=lambda metric: metric.name)
def test_a_metric_is_named_and_labeled_by_the_rules(metric: Metric) -> None:
    assert re.fullmatch(r"steerco(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") is (metric.kind == "counter")
    assert ("seconds" in metric.name) is (metric.unit == "second")
    assert set(metric.labels) <= LABELS
    assert metric.meaning.endswith(".")


def test_what_is_declared_is_counted_by_some_code() -> None:
    code = "\n".join(
        path.read_text()
        for folder in ("libs", "services")
        for path in sorted((ROOT / folder).glob("*/src/**/*.py"))
        if str(path.relative_to(ROOT)) not in LISTS
    )
    assert DECLARED.keys() == set(METRICS.declared)
    for metric, name in DECLARED.items():
        assert re.search(rf"\b{name}\.(add|set|observe|sample)\(", code), metric.name
    assert not re.search(r'"steerco_[a-z_]*(_total|_seconds)"', code), "a name in a string"
