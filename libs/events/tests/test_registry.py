"""What is published is what was approved, and is read by every release that knows it."""

import re
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import msgspec
import pytest

from steerco_events.contracts.catalog import CATALOG
from steerco_events.reference.golden import example, file_name, golden, write
from steerco_events.registry import EventType, NewerVersion, Registry, UnknownEvent, data_of, event
from steerco_events.testkit.tally import TALLY, Counted, Labeled

GOLDEN = Path(__file__).parent / "golden"
EVERY = pytest.mark.parametrize("event_type", list(CATALOG), ids=lambda each: f"{each.name}.v{each.version}")


@dataclass(frozen=True)
class Approved:
    """What a golden file says."""

    type: str
    version: int
    dataschema: str
    example: msgspec.Raw
    least: msgspec.Raw


def approved(event_type: EventType) -> Approved:
    return msgspec.json.decode((GOLDEN / file_name(event_type)).read_bytes(), type=Approved)


def decoded(event_type: EventType, data: msgspec.Raw | bytes) -> Any:
    return CATALOG.decode(event_type.name, event_type.version, bytes(data))


@EVERY
def test_an_event_is_what_was_approved(event_type: EventType) -> None:
    """After an intended change: `python -m steerco_events.reference.golden libs/events/tests/golden`."""
    assert golden(event_type) == (GOLDEN / file_name(event_type)).read_text(encoding="utf-8")


def test_every_approved_event_is_still_published() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {file_name(event_type) for event_type in CATALOG}


@EVERY
def test_an_approved_example_is_read_and_written_byte_for_byte(event_type: EventType) -> None:
    data = msgspec.json.format(bytes(approved(event_type).example), indent=-1)
    payload = decoded(event_type, data)
    assert payload == CATALOG.newest(example(event_type))
    assert data_of(example(event_type)) == data
    if event_type == CATALOG.written(event_type.name):
        assert CATALOG.encode(example(event_type)) == data


@EVERY
def test_an_event_that_tells_only_what_it_must_is_read(event_type: EventType) -> None:
    told = msgspec.json.decode(approved(event_type).least, type=dict[str, Any])
    payload = msgspec.json.decode(approved(event_type).least, type=event_type.payload)
    assert decoded(event_type, approved(event_type).least) == CATALOG.newest(payload)
    for field in fields(payload):
        if field.name not in told:
            assert getattr(payload, field.name) == field.default


@EVERY
def test_a_field_that_a_later_release_adds_is_passed_over(event_type: EventType) -> None:
    told = msgspec.json.decode(approved(event_type).example, type=dict[str, Any])
    more = msgspec.json.encode(told | {"a_later_field": {"of": ["any", "shape"]}})
    assert decoded(event_type, more) == CATALOG.newest(example(event_type))


@EVERY
def test_an_event_that_lacks_what_it_must_tell_is_refused(event_type: EventType) -> None:
    told = msgspec.json.decode(approved(event_type).least, type=dict[str, Any])
    for name in told:
        without = msgspec.json.encode({each: value for each, value in told.items() if each != name})
        with pytest.raises(msgspec.ValidationError):
            decoded(event_type, without)


@EVERY
def test_the_wire_name_says_service_and_event(event_type: EventType) -> None:
    words = re.findall("[A-Z][a-z]+", event_type.payload.__name__)
    _, service, name = event_type.name.split(".")
    assert name == "-".join(words).lower()
    assert event_type.payload.__module__.split(".")[:3] == ["steerco_events", "contracts", service]
    assert event_type.schema == f"urn:steerco:{service}:{name}:{event_type.version}"


@EVERY
def test_an_event_says_what_happened(event_type: EventType) -> None:
    assert (event_type.payload.__doc__ or "").endswith(".")


def test_no_two_services_publish_an_event_of_one_name() -> None:
    names = Counter(event_type.payload.__name__ for event_type in CATALOG)
    assert [name for name, count in names.items() if count > 1] == []


def test_every_older_version_is_read_as_the_newest() -> None:
    CATALOG.check()


def test_an_event_of_an_unknown_type_is_named_and_no_error() -> None:
    assert TALLY.decode("steerco.tally.burnt", 1, b"{}") == UnknownEvent("steerco.tally.burnt", 1)


@pytest.mark.parametrize("version", [0, 2, 7])
def test_an_event_of_a_known_type_in_an_unknown_version_is_refused(version: int) -> None:
    with pytest.raises(NewerVersion, match=f"of version {version} here.* up to version 1") as refused:
        TALLY.decode("steerco.tally.counted", version, b'{"by":1}')
    assert (refused.value.type, refused.value.version, refused.value.newest) == ("steerco.tally.counted", version, 1)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"by": "one"}', b'{"by": 1.5}', b'{"by": null}', b"\xff"])
def test_bytes_out_of_contract_are_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        TALLY.decode("steerco.tally.counted", 1, data)


def test_a_name_and_version_are_registered_once() -> None:
    registry = Registry("shelf")
    registry.add(EventType("steerco.shelf.counted", 1, Counted))
    with pytest.raises(ValueError, match="registered twice"):
        registry.add(EventType("steerco.shelf.counted", 1, Labeled))
    registry.add(EventType("steerco.shelf.counted", 2, Labeled))
    assert [(each.version, each.payload) for each in registry] == [(1, Counted), (2, Labeled)]


def test_a_payload_that_nobody_registered_has_no_type() -> None:
    with pytest.raises(KeyError):
        Registry("shelf").type_of(Counted(by=1))


def test_registries_together_know_the_events_of_each() -> None:
    shelf = Registry("shelf")

    @event(shelf, "put")
    class Put:
        """A thing was put on the shelf."""

    together = TALLY.including(shelf)
    assert together.type_of(Put()).name == "steerco.shelf.put"
    assert together.decode("steerco.tally.labeled", 1, b'{"label":"a"}') == Labeled(label="a")
    with pytest.raises(ValueError, match="registered twice"):
        together.including(shelf)


def test_writing_the_golden_files_anew_leaves_none_behind(tmp_path: Path) -> None:
    (tmp_path / "steerco.tally.forgotten.v1.json").write_text("{}")
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {file_name(event_type) for event_type in CATALOG}
