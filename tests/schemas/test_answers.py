"""Every answer of every service is one that its OpenAPI documents: a short pass; `make faults` has a long one."""

from collections.abc import AsyncIterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from steerco.edition.services import SERVICES
from steerco_servers.testing import TemporaryPostgres
from tests.schemas.asking import Measure, ask
from tests.schemas.exposing import Exposed, exposed

SHARED = "^/(batch|events|livez|log|readyz|scopes|startupz|views)"
"""What all services have alike is asked of one."""

WHOLE = "training"
"""That one, and every parameter and field of it at its limits."""

EXAMPLES = 5


@pytest.fixture(scope="module")
async def there(postgres: TemporaryPostgres) -> AsyncIterator[Mapping[str, Exposed]]:
    async with exposed(postgres) as running:
        yield running


@pytest.mark.parametrize("service", [each.name for each in SERVICES])
async def test_every_answer_is_a_documented_one(there: Mapping[str, Exposed], service: str, tmp_path: Path) -> None:
    measure = Measure(1, EXAMPLES) if service == WHOLE else Measure(1, EXAMPLES, without=SHARED, is_thorough=False)
    answers = await ask(there[service], measure, tmp_path)
    assert answers.are_documented, answers.told
    assert all(each.calls for each in answers.tallies)


ONE = "^/(?!templates$)"
"""Leaves one operation."""


async def test_an_answer_that_is_not_documented_is_found(there: Mapping[str, Exposed], tmp_path: Path) -> None:
    document = deepcopy(dict(there["intake"].document))
    documented = document["paths"]["/templates"]["get"]["responses"]
    documented["203"] = documented.pop("200")
    answers = await ask(replace(there["intake"], document=document), Measure(1, 1, without=ONE), tmp_path)
    (found,) = answers.tallies
    assert (found.operation, answers.are_documented) == ("GET /templates", False)
    assert set(found.failures) == {"status_code_conformance"}


async def test_a_service_that_does_not_answer_is_no_success(there: Mapping[str, Exposed], tmp_path: Path) -> None:
    silent = replace(there["intake"], url="http://127.0.0.1:9")
    assert not (await ask(silent, Measure(1, 1, without=ONE), tmp_path)).are_documented
