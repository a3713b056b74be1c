"""Dashboards are found by Grafana, ask the sources that it has, and say what they show."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from fastapi.routing import APIRoute

from steerco_events.kafka.topics import events_topic
from steerco_servers.promtool import promtool
from steerco_service.events.routes import routes as feed_routes
from tests.observability.known import DASHBOARDS, panels, queries, read

CALLS = "traces_span_metrics_calls_total"
CONSUMER = 'span_kind="SPAN_KIND_CONSUMER"'
SOURCES = {each["uid"]: each["type"] for each in read("grafana/datasources/steerco.yaml")["datasources"]}


def test_there_is_one_for_services_the_log_freshness_and_business() -> None:
    assert [path.stem for path in DASHBOARDS] == ["business", "freshness", "log", "services"]
    told = [json.loads(path.read_text()) for path in DASHBOARDS]
    assert len({each["uid"] for each in told}) == len({each["title"] for each in told}) == 4


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_its_panels_have_numbers_and_places_of_their_own(path: Path) -> None:
    found = json.loads(path.read_text())["panels"]
    assert len({panel["id"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for at in (panel["gridPos"] for panel in found):
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_panel_says_what_it_shows_and_asks_a_source_that_there_is() -> None:
    for name, panel in panels():
        assert panel["title"], name
        assert panel["description"], name
        assert SOURCES[panel["datasource"]["uid"]] == panel["datasource"]["type"], name


def test_how_long_requests_take_is_told_without_those_that_wait_for_events() -> None:
    (feed,) = {f"GET {route.path}" for route in feed_routes.routes if isinstance(route, APIRoute)}
    durations = [query for _, query in queries() if "traces_span_metrics_duration_seconds_bucket" in query]
    assert len(durations) == 2
    assert all(f'span_name!="{feed}"' in query for query in durations)


def test_the_service_map_has_the_columns_that_a_node_graph_takes() -> None:
    (panel,) = (panel for _, panel in panels() if panel["type"] == "nodeGraph")
    (target,) = panel["targets"]
    assert target["expr"].startswith("sum by (id, source, target) ")
    assert (target["format"], target["instant"]) == ("table", True)


def test_the_service_map_leads_from_whose_events_they_are_to_who_takes_them(tmp_path: Path) -> None:
    (query,) = (target["expr"] for _, panel in panels() for target in panel["targets"] if panel["type"] == "nodeGraph")
    name = f"process {events_topic('portfolio')}"
    taken = [
        {
            "series": f'{CALLS}{{{CONSUMER}, service_name="steerco-{service}", span_name="{name}"}}',
            "values": "0+60x20",
        }
        for service in ("finance", "portfolio")
    ]
    edge = '{id="steerco-portfolio → steerco-finance", source="steerco-portfolio", target="steerco-finance"}'
    wanted = {"expr": query, "eval_time": "20m", "exp_samples": [{"labels": edge, "value": 1}]}
    tried = {"tests": [{"interval": "1m", "input_series": taken, "promql_expr_test": [wanted]}]}
    checked(tmp_path, tried, "test", "rules")


def test_every_query_is_one_that_prometheus_takes(tmp_path: Path) -> None:
    rules = [
        {"record": "dashboard", "labels": {"number": str(n)}, "expr": query.replace("$__range", "1h")}
        for n, (_, query) in enumerate(queries())
    ]
    checked(tmp_path, {"groups": [{"name": "dashboards", "rules": rules}]}, "check", "rules")


def checked(folder: Path, told: object, *command: str) -> None:
    """Raise what promtool has against it."""
    file = folder / "told.yaml"
    file.write_text(yaml.safe_dump(told, allow_unicode=True))
    done = subprocess.run([promtool(), *command, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_looks_for_dashboards_where_this_folder_is_mounted() -> None:
    (provider,) = read("grafana/dashboards/steerco.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
