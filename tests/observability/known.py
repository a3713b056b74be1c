"""What rules and dashboards may name: what the code defines, and what the collector makes of spans."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from steerco_service.metrics import METRICS

ROOT = Path(__file__).parents[2]
OBSERVABILITY = ROOT / "deploy" / "observability"
DASHBOARDS = sorted((OBSERVABILITY / "grafana" / "dashboards").glob("*.json"))

SCRAPED = {"job", "instance", "role", "process"}
"""Labels that Prometheus gives to whatever it collects."""

_SPAN = {"service_name", "span_name", "span_kind", "status_code"}
_SPANS = "traces_span_metrics"
SPANS: Mapping[str, set[str]] = {
    f"{_SPANS}_calls_total": _SPAN,
    **{f"{_SPANS}_duration_seconds_{end}": _SPAN for end in ("bucket", "sum", "count")},
}
"""What the collector's connector `spanmetrics` makes of spans, with its labels."""

KNOWN: Mapping[str, set[str]] = {
    "up": set(),
    **SPANS,
    **{name: set(each.labels) for each in METRICS.declared for name in each.series},
}
"""Every series there is, by its name, with its labels."""

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_SELECTOR = re.compile(r"\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^]]*\]")
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*\b(?!\s*\()")
_WORDS = {"and", "or", "unless", "bool", "offset"}


def names_in(query: str) -> set[str]:
    """The series that a query of PromQL names."""
    text = _RANGE.sub("", _GROUPING.sub("", _SELECTOR.sub("", _STRING.sub("", query))))
    return set(_NAME.findall(text)) - _WORDS


def labels_in(query: str) -> set[str]:
    """The labels that a query of PromQL selects or groups by, but for those that it makes itself."""
    made = set(re.findall(r'label_(?:replace|join)\(.*?, "(\w+)"', query)) | set(re.findall(r'\), "(\w+)", "', query))
    text = _STRING.sub('""', query)
    selected = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", " ".join(_SELECTOR.findall(text)))
    grouped = re.findall(r"\w+", " ".join(_GROUPING.findall(text)))
    return {*selected, *grouped} - made


def read(name: str) -> Any:
    """A file of deploy/observability, as YAML."""
    return yaml.safe_load((OBSERVABILITY / name).read_text())


def rules() -> Mapping[str, Mapping[str, Any]]:
    """The alert rules, by their name."""
    return {rule["alert"]: rule for group in read("rules.yaml")["groups"] for rule in group["rules"]}


def panels() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The panels of all dashboards, each with the name of its file."""
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            yield path.name, panel


def queries() -> Sequence[tuple[str, str]]:
    """Every query of rules and dashboards, with where it is."""
    alerts = [(f"rules.yaml: {name}", rule["expr"]) for name, rule in rules().items()]
    return alerts + [
        (f"{name}: {panel['title']}", target["expr"]) for name, panel in panels() for target in panel["targets"]
    ]
