"""The page of the documentation that lists every metric.

`python -m steerco.reference.metrics_page docs/reference` writes `metrics.md` anew.
"""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from steerco_events.metering import Metric
from steerco_service.metrics import METRICS

_HEAD = """# Metrics

*Written by `make docs` from the list that the code has; a test compares.*

Each process serves them at `/metrics` on its port of operations (`STEERCO_OPERATIONS_PORT`), in Prometheus' text \
format: see [Watch operations](../how-to/watch-operations.md#metrics-and-alerts). `service` is whose process it is. \
`source` is whose log a consumer reads; `consumer` is a reaction, or the view that a service builds, whatever build of \
it; `shard` is the number of a part of its work. No label is a person, a project, a unit or an amount.

What the database knows is asked when somebody collects, every five seconds at most, and told by each process of a \
service alike: take the maximum by `service`. While the database does not answer, it is left out.
"""

_TABLE = "| metric | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |"

_TITLES = {
    "append": "Appends",
    "log": "The log",
    "seals": "Sealing",
    "relay": "Publishing",
    "consumer": "Consumers",
    "timers": "Timers",
    "builds": "What a process works on",
    "http": "HTTP and commands",
    "database": "Connections",
    "answer": "Answers",
}
"""The headings, each before the first metric whose name goes on so."""


def metrics_page() -> str:
    """The text of the page."""
    lines = [_HEAD]
    for title, metrics in groupby(_titled(), key=lambda titled: titled[0]):
        lines += [f"## {title}\n", _TABLE, *(_row(metric) for _, metric in metrics), ""]
    return "\n".join(lines)


def _titled() -> Iterator[tuple[str, Metric]]:
    title = ""
    for metric in METRICS.declared:
        title = _TITLES.get(metric.name.split("_")[1], title)
        yield title, metric


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.meaning} |"


def write(folder: Path) -> None:
    """Write the page anew."""
    (folder / "metrics.md").write_text(metrics_page(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
