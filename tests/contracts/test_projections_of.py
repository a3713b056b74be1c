"""A projection that says of which event types it is takes nothing from any other."""

import pytest

from steerco.edition.services import SERVICES
from steerco_events.projections.model import View
from steerco_events.testkit.recorded import log_of
from tests.contracts.histories import LIVES, REGISTRIES

VIEWS = [pytest.param(service.view, id=service.view.name) for service in SERVICES]


@pytest.mark.parametrize("view", VIEWS)
def test_no_event_of_another_type_concerns_a_row(view: View) -> None:
    for service in view.services:
        told = [(life.stream, each) for life in LIVES if life.service == service for each in life.payloads]
        for event in log_of([told], service, REGISTRIES[service]):
            for projection in view.projections:
                if projection.types is not None and event.type not in projection.types:
                    assert projection.key(event) is None, f"{projection.name} takes {event.type}"
