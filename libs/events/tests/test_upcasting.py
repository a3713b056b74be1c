"""An event's older versions are read as its newest, and a new version takes two releases."""

import msgspec
import pytest

from steerco_events.contracts.catalog import CATALOG
from steerco_events.reference.golden import example, golden
from steerco_events.registry import (
    EventType,
    NewerVersion,
    Registry,
    VersionNotWritten,
    data_of,
    event,
    upcaster,
)
from steerco_events.testkit.recorded import log_of
from steerco_events.testkit.spec import spec
from steerco_events.testkit.two_releases import (
    BEFORE,
    READING,
    WRITING,
    Arrived,
    ArrivedV1,
    Moor,
    in_kilograms,
    reading_dock,
    writing_dock,
)

ARRIVED = "steerco.dock.arrived"
FIRST = b'{"ship":"Anna","tonnes":7}'
SECOND = b'{"ship":"Anna","kilograms":7000,"berth":null}'


def shelf(*versions: int) -> Registry:
    """A registry of one event in these versions, without upcasters."""
    registry = Registry("shelf")
    for version in versions:
        registry.add(EventType("steerco.shelf.put", version, type(f"PutV{version}", (), {})))
    return registry


def test_the_release_before_stops_at_the_new_version_and_does_not_pass_over_it() -> None:
    assert BEFORE.decode(ARRIVED, 1, FIRST) == ArrivedV1(ship="Anna", tonnes=7)
    with pytest.raises(NewerVersion):
        BEFORE.decode(ARRIVED, 2, SECOND)


@pytest.mark.parametrize("registry", [READING, WRITING, CATALOG.including(READING)])
def test_either_version_is_read_as_the_newest(registry: Registry) -> None:
    assert registry.decode(ARRIVED, 1, FIRST) == registry.decode(ARRIVED, 2, SECOND)
    assert registry.decode(ARRIVED, 1, FIRST) == Arrived(ship="Anna", kilograms=7000)


def test_the_release_that_reads_a_version_does_not_write_it() -> None:
    assert READING.encode(ArrivedV1(ship="Anna", tonnes=7)) == FIRST
    with pytest.raises(VersionNotWritten, match=r"only reads steerco\.dock\.arrived version 2; it writes version 1"):
        READING.encode(Arrived(ship="Anna", kilograms=7000))


def test_the_release_that_writes_a_version_writes_the_older_one_no_more() -> None:
    assert WRITING.encode(Arrived(ship="Anna", kilograms=7000)) == SECOND
    with pytest.raises(VersionNotWritten, match=r"only reads .* version 1; it writes version 2"):
        WRITING.encode(ArrivedV1(ship="Anna", tonnes=7))


def test_a_new_type_may_be_read_one_release_before_it_is_written() -> None:
    registry = Registry("dock")

    @event(registry, "left", written=False)
    class Left:
        """A ship left."""

    registry.check()
    assert registry.decode("steerco.dock.left", 1, b"{}") == Left()
    with pytest.raises(VersionNotWritten, match="it writes none yet"):
        registry.encode(Left())


def test_a_new_event_is_folded_as_it_will_be_when_it_is_read_back() -> None:
    (decided,) = reading_dock.decide(Moor("Anna", 7), reading_dock.initial)
    read_back = READING.decode(ARRIVED, 1, READING.encode(decided))
    assert reading_dock.fold([decided]) == reading_dock.fold([read_back])
    assert reading_dock.fold([decided]).kilograms == 7000


def test_the_same_command_is_quiet_the_second_time_in_either_release() -> None:
    spec(reading_dock).given().when(Moor("Anna", 7)).then(ArrivedV1(ship="Anna", tonnes=7))
    spec(writing_dock).given().when(Moor("Anna", 7)).then(Arrived(ship="Anna", kilograms=7000))
    for past in (ArrivedV1(ship="Anna", tonnes=7), Arrived(ship="Anna", kilograms=7000)):
        spec(reading_dock).given(past).when(Moor("Anna", 7)).then_nothing()


def test_a_log_of_either_version_gives_the_newest() -> None:
    log = log_of(
        [[("ship-a", ArrivedV1(ship="Anna", tonnes=7)), ("ship-b", Arrived(ship="Bert", kilograms=1))]],
        "dock",
        READING,
    )
    assert [each.schema_version for each in log] == [1, 2]
    assert [each.payload for each in log] == [
        Arrived(ship="Anna", kilograms=7000),
        Arrived(ship="Bert", kilograms=1),
    ]


def test_the_golden_file_of_an_older_version_tells_what_becomes_of_it() -> None:
    first, second = READING
    approved = msgspec.json.decode(golden(first, READING))
    assert approved["upcast"] == {"version": 2, "data": {"ship": "Ship", "kilograms": 3000, "berth": None}}
    assert READING.decode(ARRIVED, 2, msgspec.json.encode(approved["upcast"]["data"])) == in_kilograms(example(first))
    assert "upcast" not in msgspec.json.decode(golden(second, READING))


def test_every_version_but_the_newest_needs_an_upcaster_to_the_next() -> None:
    with pytest.raises(ValueError, match=r"shelf\.put version 1 has no upcaster to the next; .* version 2 has no"):
        shelf(1, 2, 3).check()
    shelf(1).check()


def test_versions_have_no_gap() -> None:
    with pytest.raises(ValueError, match=r"shelf\.put has no version 1; .* has no version 3"):
        shelf(2, 4).check()


def test_only_the_newest_version_may_be_not_written_yet() -> None:
    registry = Registry("dock")
    registry.add(EventType(ARRIVED, 1, ArrivedV1, written=False))
    registry.add(EventType(ARRIVED, 2, Arrived))
    registry.add_upcaster(ArrivedV1, Arrived, in_kilograms)
    with pytest.raises(ValueError, match="version 1 is not written, though there is a newer one"):
        registry.check()


def test_an_upcaster_leads_to_the_next_version_of_its_event_and_is_the_only_one() -> None:
    with pytest.raises(ValueError, match="not the version after"):
        READING.add_upcaster(Arrived, ArrivedV1, in_kilograms)
    with pytest.raises(ValueError, match="not the version after"):
        BEFORE.add_upcaster(ArrivedV1, Arrived, in_kilograms)
    with pytest.raises(ValueError, match="two upcasters"):
        upcaster(READING)(in_kilograms)


def test_versions_are_upcast_one_after_the_other() -> None:
    registry = Registry("dock")
    for known in WRITING:
        registry.add(known)
    registry.add_upcaster(ArrivedV1, Arrived, in_kilograms)

    @event(registry, "arrived", version=3)
    class ArrivedInGrams:
        """A ship came in."""

        ship: str
        grams: int

    @upcaster(registry)
    def in_grams(arrived: Arrived) -> ArrivedInGrams:
        return ArrivedInGrams(ship=arrived.ship, grams=arrived.kilograms * 1000)

    assert registry.decode("steerco.dock.arrived", 1, FIRST) == ArrivedInGrams(ship="Anna", grams=7_000_000)


def test_data_is_encoded_for_a_reader_whoever_writes_it() -> None:
    assert data_of(Arrived(ship="Anna", kilograms=7000)) == SECOND
