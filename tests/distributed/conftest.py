"""One edition of processes, whose specs go together: it is started once, and each finds what those before it did.

Their order is that of their files: answers are compared while it holds the register alone, and who stops it is last.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.distributed.collected import Collected, collector
from tests.editions.registers import EXAMPLE, load
from tests.editions.running import RunningEdition, running_edition


@dataclass(frozen=True)
class Distributed:
    """The edition with the register of the examples, what its import printed, and the spans that it sends."""

    edition: RunningEdition
    imported: str
    collected: Collected

    @property
    def headers(self) -> dict[str, str]:
        """Who asks."""
        return {"Authorization": f"Bearer {self.edition.run['token']}"}


@pytest.fixture(scope="session")
def distributed() -> Iterator[Distributed]:
    """All services as processes; they log JSON."""
    with collector() as collected:
        told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collected.url, "STEERCO_LOG_FORMAT": "json"}
        with running_edition(command="run-distributed", environment=told) as edition:
            yield Distributed(edition, load(edition, EXAMPLE), collected)
