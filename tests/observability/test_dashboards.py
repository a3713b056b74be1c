"""Dashboards are found by Grafana, ask the sources that it has, and say what they show."""

import json
from pathlib import Path

import pytest

from tests.observability.known import DASHBOARDS, panels, read

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


def test_the_service_map_has_the_columns_that_a_node_graph_takes() -> None:
    (panel,) = (panel for _, panel in panels() if panel["type"] == "nodeGraph")
    (target,) = panel["targets"]
    assert target["expr"].startswith("sum by (id, source, target) ")
    assert (target["format"], target["instant"]) == ("table", True)


def test_grafana_looks_for_dashboards_where_this_folder_is_mounted() -> None:
    (provider,) = read("grafana/dashboards/steerco.yaml")["providers"]
    assert provider["options"]["path"] == "/etc/grafana/provisioning/dashboards"
