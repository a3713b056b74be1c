"""What a metric is: a name, labels, a unit and a meaning. A process counts in memory, and tells when it is asked.

A metric is declared once, in a list; code counts through that declaration, never by a name in a string. Labels are few
and bounded: no identifier, no code, no person and no amount is one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import prometheus_client as prometheus
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST

type Kind = Literal["counter", "gauge", "histogram"]

CONTENT_TYPE = CONTENT_TYPE_LATEST


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured, as operations know it. The unit is singular where one thing is counted."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def series(self) -> Sequence[str]:
        """The names under which it is exposed."""
        return (
            [f"{self.name}{end}" for end in ("_bucket", "_sum", "_count")] if self.kind == "histogram" else [self.name]
        )


class Counter:
    """Counts what has happened since the process began."""

    def __init__(self, about: Metric, registry: prometheus.CollectorRegistry) -> None:
        self.about = about
        self._of = cache(prometheus.Counter(about.name, about.meaning, about.labels, registry=registry).labels)

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count so many more; nothing more makes it known that there are none yet."""
        self._of(*labels).inc(amount)


class Gauge:
    """What is so now, as the code that makes it so says."""

    def __init__(self, about: Metric, registry: prometheus.CollectorRegistry) -> None:
        self.about = about
        self._told = prometheus.Gauge(about.name, about.meaning, about.labels, registry=registry)
        self._of = cache(self._told.labels)

    def set(self, value: float, *labels: str) -> None:
        """It is this now."""
        self._of(*labels).set(value)

    def add(self, *labels: str, amount: float) -> None:
        """It is so much more now, or less."""
        self._of(*labels).inc(amount)

    def forget(self, *labels: str) -> None:
        """Nothing is known of it any more here."""
        self._told.remove(*labels)
        self._of.cache_clear()


class Histogram:
    """How large, or how long, what happened was."""

    def __init__(self, about: Metric, registry: prometheus.CollectorRegistry, buckets: Sequence[float]) -> None:
        self.about = about
        observed = prometheus.Histogram(about.name, about.meaning, about.labels, buckets=buckets, registry=registry)
        self._of = cache(observed.labels)

    def observe(self, value: float, *labels: str) -> None:
        """One more, of this size."""
        self._of(*labels).observe(value)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was found of a metric when the process was asked."""

    about: Metric
    value: float
    labels: Sequence[str]


class Sampled:
    """What is so now, as whoever is asked for it finds."""

    def __init__(self, about: Metric) -> None:
        self.about = about

    def sample(self, value: float, *labels: str) -> Sample:
        """It was found to be this."""
        return Sample(self.about, value, labels)


class Metrics:
    """A list of metrics, in the order in which they were declared, and what the process has counted of them."""

    def __init__(self) -> None:
        self._declared: dict[str, Metric] = {}
        self._registry = prometheus.CollectorRegistry()
        prometheus.disable_created_metrics()  # type: ignore[no-untyped-call] # else a series more for each

    @property
    def declared(self) -> Sequence[Metric]:
        """All of them."""
        return list(self._declared.values())

    def counter(self, name: str, unit: str, labels: Sequence[str], meaning: str) -> Counter:
        """Declare what is counted."""
        return Counter(self._declare(name, "counter", unit, labels, meaning), self._registry)

    def gauge(self, name: str, unit: str, labels: Sequence[str], meaning: str) -> Gauge:
        """Declare what code says is so now."""
        return Gauge(self._declare(name, "gauge", unit, labels, meaning), self._registry)

    def histogram(
        self, name: str, unit: str, labels: Sequence[str], meaning: str, buckets: Sequence[float]
    ) -> Histogram:
        """Declare what has a size each time that it happens."""
        return Histogram(self._declare(name, "histogram", unit, labels, meaning), self._registry, buckets)

    def sampled(self, name: str, unit: str, labels: Sequence[str], meaning: str) -> Sampled:
        """Declare what is looked up when somebody asks."""
        return Sampled(self._declare(name, "gauge", unit, labels, meaning))

    def _declare(self, name: str, kind: Kind, unit: str, labels: Sequence[str], meaning: str) -> Metric:
        if name in self._declared:
            raise ValueError(f"{name} is declared already")
        self._declared[name] = Metric(name, kind, unit, tuple(labels), meaning)
        return self._declared[name]

    def exposed(self, samples: Iterable[Sample] = ()) -> bytes:
        """What was counted, and these samples, in Prometheus' text format."""
        found = prometheus.CollectorRegistry()
        found.register(_Found(samples))
        return prometheus.generate_latest(self._registry) + prometheus.generate_latest(found)

    def value(self, about: Metric, *labels: str) -> float | None:
        """What was counted under these labels; `None` if nothing was. For specs."""
        names = dict(zip(about.labels, labels, strict=True))
        return self._registry.get_sample_value(
            about.name if about.kind != "histogram" else f"{about.name}_count", names
        )


class _Found(prometheus.registry.Collector):
    """Samples by their metric, as prometheus_client wants them."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._families: dict[str, GaugeMetricFamily] = {}
        for each in samples:
            about = each.about
            empty = GaugeMetricFamily(about.name, about.meaning, labels=about.labels)
            self._families.setdefault(about.name, empty).add_metric(list(each.labels), each.value)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Called by the registry."""
        yield from self._families.values()
