"""The same register in both editions: services as processes over Kafka answer as one process does."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from steerco.edition.services import SERVICES
from tests.distributed.conftest import Distributed
from tests.distributed.separation import check_apart
from tests.editions.registers import EXAMPLE, load
from tests.editions.running import RunningEdition, running_edition, without_instants

pytestmark = pytest.mark.kafka


def shown(edition: RunningEdition, scope: str) -> Any:
    answer = json.loads(edition.steerco("show", "portfolio", "--scope", scope, "--over", "--format", "json"))
    return without_instants(answer)


def published(edition: RunningEdition) -> set[str]:
    """The services whose workers say that they publish a log; every process is asked whether it is well."""
    told = json.loads((edition.data_dir / "run.json").read_text())["operations"]
    assert set(told) == {f"{service.name} {role}" for service in SERVICES for role in ("api", "worker")}
    assert {httpx.get(f"{address}/readyz").status_code for address in told.values()} == {200}
    metrics = "".join(httpx.get(f"{address}/metrics").text for address in told.values())
    return set(re.findall(r'^steerco_relay_leader\{service="(\w+)"\} 1', metrics, re.MULTILINE))


def test_the_same_import_gives_the_same_answers_in_both_editions(distributed: Distributed) -> None:
    with running_edition("--empty") as embedded:
        assert load(embedded, EXAMPLE) == distributed.imported
        units = shown(embedded, "enterprise")["units"]
        assert units
        for scope in ("enterprise", *(unit["unit"]["code"] for unit in units)):
            assert shown(distributed.edition, scope) == shown(embedded, scope)
    assert "0 changes" in load(distributed.edition, EXAMPLE)


def test_each_log_is_whole_and_is_published_by_one_worker(distributed: Distributed) -> None:
    assert distributed.edition.steerco("verify").count("✓") == 5
    assert distributed.edition.steerco("log", "republish", "portfolio").startswith("portfolio: published again")
    assert published(distributed.edition) == {"intake", "portfolio", "finance", "risk", "training"}


def test_no_service_can_have_what_is_another_s(distributed: Distributed) -> None:
    asyncio.run(check_apart(distributed.edition))
