"""The collector's pipelines are made of what it has, and give the metrics that dashboards know."""

from collections.abc import Iterator
from typing import Any

from tests.observability.known import SPANS, read

KINDS = ("receivers", "processors", "exporters")


def uses() -> Iterator[tuple[str, str]]:
    for pipeline in read("collector.yaml")["service"]["pipelines"].values():
        for kind in KINDS:
            yield from ((kind, name) for name in pipeline.get(kind, ()))


def test_pipelines_refer_to_what_is_there_and_all_that_is_there_is_used() -> None:
    told = read("collector.yaml")
    connectors = {(kind, name) for kind in ("receivers", "exporters") for name in told["connectors"]}
    there = {(kind, name) for kind in KINDS for name in told[kind]} | connectors
    assert set(uses()) == there
    assert told["service"]["extensions"] == list(told["extensions"])


def test_spans_go_to_jaeger_and_what_is_made_of_them_to_prometheus() -> None:
    told = read("collector.yaml")
    traces, metrics = told["service"]["pipelines"]["traces"], told["service"]["pipelines"]["metrics"]
    assert set(traces["exporters"]) == {"otlp/jaeger", *told["connectors"]}
    assert metrics == {"receivers": list(told["connectors"]), "exporters": ["prometheus"]}
    ports = [each["endpoint"].rpartition(":")[2] for each in told["receivers"]["otlp"]["protocols"].values()]
    assert ports == ["4317", "4318"]


def test_what_is_made_of_spans_is_bounded_however_many_names_they_bear() -> None:
    assert read("collector.yaml")["connectors"]["spanmetrics"]["aggregation_cardinality_limit"] > 0


def test_what_is_made_of_spans_bears_the_names_that_dashboards_know() -> None:
    spans: Any = read("collector.yaml")["connectors"]["spanmetrics"]
    prefix, unit = spans["namespace"].replace(".", "_"), {"s": "seconds"}[spans["histogram"]["unit"]]
    assert {f"{prefix}_calls_total", f"{prefix}_duration_{unit}_bucket"} <= SPANS.keys()
