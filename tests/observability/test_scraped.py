"""Metrics that are collected from processes that run are the right numbers; each of the list is among them."""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steerco.edition.services import SERVICES
from steerco_events.ids import new_id
from steerco_portfolio.app import SERVICE
from steerco_servers.child import clean_environment
from steerco_servers.testing import POSTGRES_VARIABLE, TemporaryPostgres
from steerco_service.metrics import METRICS
from steerco_service.settings import ServiceSettings
from tests.observability.known import ROOT, read
from tests.observability.scraping import PATIENCE, Processes, Scraped, processes_of
from tests.observability.together import opened


@pytest.fixture(scope="module")
async def processes(postgres: TemporaryPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Processes]:
    folder: Path = tmp_path_factory.mktemp("processes")
    async with processes_of(SERVICE, postgres, folder) as running:
        yield running


async def test_a_command_is_counted_by_the_api_and_what_comes_of_it_by_the_worker(processes: Processes) -> None:
    api, worker = await processes.api.scrape(), await processes.worker.scrape()
    answer = await opened(processes.client)
    token = {"Consistency-Token": answer.headers["Consistency-Token"]}
    assert (await processes.client.get("/units", headers=token)).status_code == 200
    refused = await processes.client.post(f"/units/{new_id()}/closure", json={"closes_on": "2030-01-01"})
    assert refused.status_code >= 400

    now = await processes.api.scrape()

    def grew(name: str, **labels: str) -> float:
        return now.sum(name, **labels) - api.sum(name, **labels)

    assert grew("steerco_commands_total", operation="open_unit", outcome="accepted") == 1
    assert grew("steerco_commands_total", outcome="accepted") == 1
    assert grew("steerco_commands_total") == 2
    assert grew("steerco_http_requests_total", route="/units", method="POST", status="2xx") == 1
    assert grew("steerco_http_requests_total", route="/units", method="GET", status="2xx") == 1
    assert grew("steerco_http_requests_total", status="4xx") == 1
    assert grew("steerco_http_request_duration_seconds_count", route="/units", method="POST") == 1
    assert grew("steerco_append_batch_commands_sum") == grew("steerco_append_duration_seconds_count") == 1

    def has_applied(found: Scraped) -> bool:
        return found.sum("steerco_consumer_events_total") > worker.sum("steerco_consumer_events_total")

    then = await processes.worker.until(has_applied)
    own = {"service": "portfolio", "consumer": "portfolio", "source": "portfolio"}
    for name in ("steerco_sealed_events_total", "steerco_consumer_events_total"):
        assert then.sum(name) - worker.sum(name) == 1
    assert then.sum("steerco_consumer_lag_positions", **own) == 0
    assert (await processes.worker.until(has_sealed_all)).sum("steerco_log_position") == 1
    assert then.sum("steerco_consumer_freshness_seconds", **own) < 30
    assert then.sum("steerco_sealer_leader") == 1


def has_sealed_all(found: Scraped) -> bool:
    return found.sum("steerco_log_position") > 0 and found.sum("steerco_log_unsealed_positions") == 0


async def test_without_its_broker_a_worker_is_well_and_tells_what_waits(processes: Processes) -> None:
    found = await processes.worker.until(lambda found: found.sum("steerco_relay_errors_total") > 0)
    assert found.sum("steerco_relay_published_events_total") == 0
    assert (await processes.worker.until(has_failed)).sum("steerco_work_failing") >= 1
    assert [await processes.worker.status(path) for path in ("/livez", "/startupz", "/readyz")] == [204, 200, 200]
    assert "portfolio relay" in (await processes.worker.client.get("/readyz")).json()["degraded"]


def has_failed(found: Scraped) -> bool:
    return found.sum("steerco_work_failing") > 0


async def test_an_api_tells_operations_what_it_tells_all_and_its_metrics_to_them_alone(processes: Processes) -> None:
    assert [await processes.api.status(path) for path in ("/livez", "/startupz", "/readyz")] == [204, 200, 200]
    assert (await processes.client.get("/metrics")).status_code == 404
    assert (await processes.api.scrape()).sum("steerco_database_pool_connections") == 6


async def test_each_metric_of_the_list_is_told_by_somebody(processes: Processes, postgres: TemporaryPostgres) -> None:
    """Those of timers and answers by services that have them, in a process of their own."""
    together = await told_together(postgres)
    for kind in ("enterprise", "business_unit", "department"):
        assert together.sum("steerco_answer_age_seconds_count", service="reporting", scope=kind) == 1
    told = together.names | (await processes.api.scrape()).names | (await processes.worker.scrape()).names
    assert {name for each in METRICS.declared for name in each.series} <= told


async def told_together(postgres: TemporaryPostgres) -> Scraped:
    """What all services in one process tell, after a question about a unit of each kind."""
    environment = clean_environment(PYTHONPATH=str(ROOT), **{POSTGRES_VARIABLE: postgres.admin_url})
    together = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.observability.together", env=environment, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asyncio.wait_for(together.communicate(), PATIENCE)
    assert together.returncode == 0
    return Scraped.of(told.decode())


async def test_a_worker_that_is_told_to_end_does_so_though_it_is_being_watched(processes: Processes) -> None:
    assert await processes.worker.status("/livez") == 204
    assert await processes.worker.stop() == 0


def test_every_process_of_every_service_is_collected_from_where_it_listens() -> None:
    port = ServiceSettings.model_fields["operations_port"].default
    services, spans = read("prometheus.yaml")["scrape_configs"]
    (told,) = services["dns_sd_configs"]
    assert (told["type"], told["port"]) == ("A", port)
    assert told["names"] == [f"{service.name}-{role}" for role in ("api", "worker") for service in SERVICES]
    (role,) = (each for each in services["relabel_configs"] if each["target_label"] == "role")
    matched = [re.fullmatch(role["regex"], name) for name in told["names"]]
    assert Counter(found and found[1] for found in matched) == {"api": len(SERVICES), "worker": len(SERVICES)}
    ((target,),) = (told["targets"] for told in spans["static_configs"])
    assert target.rpartition(":")[2] == read("collector.yaml")["exporters"]["prometheus"]["endpoint"].rpartition(":")[2]
