"""What really happens is what the reference says: every event of the example, and of a few acts beyond it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from steerco_events.cloudevents import OPTIONAL, REQUIRED, attributes_of
from steerco_events.contracts.catalog import CATALOG
from steerco_events.envelope import Recorded
from steerco_events.reference.attributes import ATTRIBUTES
from steerco_events.reference.samples import read, samples, samples_text
from steerco_events.reference.schemas import schema_of
from steerco_servers.testing import TemporaryPostgres
from tests.contracts.told_example import told_example

SAMPLES = Path(__file__).parents[2] / "docs" / "reference" / "samples.json"
FORMATS = Draft202012Validator.FORMAT_CHECKER

type Logs = Mapping[str, Sequence[Recorded]]


@pytest.fixture(scope="module")
async def logs(postgres: TemporaryPostgres) -> AsyncIterator[Logs]:
    async with told_example(postgres) as logs:
        yield logs


def test_every_event_is_valid_by_the_schema_that_it_names(logs: Logs) -> None:
    validators = {each.schema: Draft202012Validator(schema_of(each), format_checker=FORMATS) for each in CATALOG}
    for event in (each for log in logs.values() for each in log):
        validators[event.schema].validate(msgspec.json.decode(event.data))


def test_every_event_carries_what_every_event_carries(logs: Logs) -> None:
    schema = {
        "type": "object",
        "properties": dict(ATTRIBUTES),
        "required": list(REQUIRED),
        "additionalProperties": False,
    }
    validator = Draft202012Validator(schema, format_checker=FORMATS)
    for event in (each for log in logs.values() for each in log):
        validator.validate(attributes_of(event))


def test_every_event_that_this_release_writes_happens(logs: Logs) -> None:
    happened = {event.schema for log in logs.values() for event in log}
    assert {each.schema for each in CATALOG if each == CATALOG.written(each.name)} - happened == set()


def test_the_samples_of_the_reference_are_what_happened(logs: Logs) -> None:
    """After an intended change: `make docs`."""
    assert SAMPLES.read_text() == samples_text(samples(logs))


def test_a_sample_is_a_whole_cloudevent() -> None:
    for schema, sample in read(SAMPLES).items():
        assert schema == sample["dataschema"]
        assert sample.keys() - set(OPTIONAL) == {*REQUIRED, "data"}
