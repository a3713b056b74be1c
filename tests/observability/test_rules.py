"""Alert rules are right: Prometheus reads them, they name what there is, and each says what to do."""

import re
import subprocess
from collections import Counter

import pytest

from steerco_servers.promtool import promtool
from tests.docs.test_pages import anchors
from tests.observability.known import KNOWN, OBSERVABILITY, ROOT, SCRAPED, labels_in, names_in, queries, read, rules


@pytest.mark.parametrize(
    "command",
    [("check", "rules", "rules.yaml"), ("test", "rules", "rules.test.yaml"), ("check", "config", "prometheus.yaml")],
    ids=" ".join,
)
def test_prometheus_takes_them_and_they_call_when_they_should(command: tuple[str, ...]) -> None:
    done = subprocess.run([promtool(), *command], cwd=OBSERVABILITY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tried_with_what_calls_it_and_with_what_does_not() -> None:
    tried = Counter(each["name"] for each in read("rules.test.yaml")["tests"])
    assert tried == Counter(f"{name}, {how}" for name in rules() for how in ("firing", "quiet"))


@pytest.mark.parametrize("name", rules())
def test_an_alert_says_what_is_wrong_how_bad_it_is_and_what_to_do(name: str) -> None:
    rule = rules()[name]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == name.lower()
    assert anchor in anchors(ROOT / page)
    told = set(re.findall(r"\$labels\.(\w+)", "".join(rule["annotations"].values())))
    assert (
        told <= labels_in(rule["expr"]) | {label for each in names_in(rule["expr"]) for label in KNOWN[each]} | SCRAPED
    )


@pytest.mark.parametrize(("where", "query"), queries(), ids=lambda value: value if ": " in value else "")
def test_rules_and_dashboards_name_what_the_code_defines_or_the_collector_makes(where: str, query: str) -> None:
    named = names_in(query)
    assert named
    assert named <= KNOWN.keys(), where
    assert labels_in(query) <= SCRAPED | {"le"} | {label for each in named for label in KNOWN[each]}, where


def test_what_is_measured_is_looked_at() -> None:
    named = {name for _, query in queries() for name in names_in(query)}
    assert {
        name for name in KNOWN if name.startswith("steerco_") and not name.endswith(("_bucket", "_sum", "_count"))
    } <= named


@pytest.mark.parametrize(
    ("query", "names", "labels"),
    [
        (
            'sum by (service) (rate(a_total{status="5xx", x!~"b.*"}[5m])) / b > 0.05',
            {"a_total", "b"},
            {"service", "status", "x"},
        ),
        ("max_over_time(a[1m]) == 0 unless on (service) b", {"a", "b"}, {"service"}),
        ('sum by (id) (label_replace(label_join(a, "id", "-", "b", "c"), "d", "$1", "b", "(.*)"))', {"a"}, set()),
    ],
)
def test_what_a_query_names_is_found_in_it(query: str, names: set[str], labels: set[str]) -> None:
    assert (names_in(query), labels_in(query)) == (names, labels)
