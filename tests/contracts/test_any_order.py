"""Whatever the order between streams and whatever comes twice: every view has the same rows, at every instant."""

from collections import defaultdict
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerco.edition.services import SERVICES
from steerco_events.contracts.catalog import CATALOG
from steerco_events.projections.model import View
from steerco_events.testkit.deliveries import deliveries, folded, known, opened
from steerco_events.testkit.recorded import log_of
from tests.contracts.histories import LIVES, REGISTRIES, histories

TICK = timedelta(microseconds=1)
VIEWS = [pytest.param(service.view, id=service.view.name) for service in SERVICES]


def test_the_histories_tell_every_event_type() -> None:
    told = {type(payload) for life in LIVES for payload in life.payloads}
    assert told == {each.payload for each in CATALOG}


@pytest.mark.parametrize("view", VIEWS)
def test_a_row_depends_on_one_stream(view: View) -> None:
    streams: dict[tuple[str, str], set[str]] = defaultdict(set)
    for service in view.services:
        told = [(life.stream, each) for life in LIVES if life.service == service for each in life.payloads]
        for event in log_of([told], service, REGISTRIES[service]):
            for projection in view.projections:
                if (key := projection.key(event)) is not None:
                    streams[projection.name, key].add(event.stream)
    assert {name for name, _ in streams} == {projection.name for projection in view.projections}
    assert [row for row, found in streams.items() if len(found) > 1] == []


@pytest.mark.parametrize("view", VIEWS)
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_interleavings_batches_and_repetitions_change_no_row(view: View, data: st.DataObject) -> None:
    delivery = data.draw(deliveries(histories(view.services)))
    assert folded(view.projections, delivery.batches) == folded(view.projections, [delivery.events])


@pytest.mark.parametrize("view", VIEWS)
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_at_any_instant_a_view_is_what_the_events_sealed_by_then_rebuild(view: View, data: st.DataObject) -> None:
    delivery = data.draw(deliveries(histories(view.services)))
    tables = folded(view.projections, delivery.batches)
    for sealed_at in {event.sealed_at for event in delivery.events}:
        for at in (sealed_at - TICK, sealed_at):
            cut = [event for event in delivery.events if event.sealed_at <= at]
            assert known(tables, at) == opened(folded(view.projections, [cut]))
