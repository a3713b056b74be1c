"""An archive shows what was altered, left out, put in or cut off."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from steerco_events.archive.lines import End
from steerco_events.archive.verifying import Altered, verify
from steerco_events.ids import new_id
from steerco_events.testkit.archives import STAMP, alter, altered, events, told, written
from steerco_events.testkit.logs import Log


@pytest.mark.parametrize(
    "changes",
    [
        {"data": b'{"by":7}'},
        {"stream": "tally-9"},
        {"type": "steerco.tally.closed"},
        {"reason": "none"},
        {"client": "other"},
        {"stream_version": 9},
        {"schema_version": 2},
        {"traceparent": "00-1"},
        {"org_units": (new_id(),)},
        {"id": new_id()},
        {"correlation_id": new_id()},
        {"causation_id": new_id()},
        {"on_behalf_of": new_id()},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_event_that_was_altered_is_named(log: Log, changes: dict[str, Any]) -> None:
    lines = await told(log)
    with pytest.raises(Altered, match=r"the event at position 4 .* is not what was sealed") as found:
        verify(altered(lines, 3, **changes), [STAMP])
    assert found.value.event is not None
    assert found.value.position == 4


async def test_an_event_whose_instant_was_altered_is_named(log: Log) -> None:
    lines = await told(log)
    later = events(lines)[3].recorded_at + timedelta(microseconds=1)
    with pytest.raises(Altered, match="position 4"):
        verify(altered(lines, 3, recorded_at=later), [STAMP])
    with pytest.raises(Altered, match="sealed otherwise"):
        verify(altered(lines, 3, sealed_at=later), [STAMP])


async def test_an_event_that_was_left_out_is_missed(log: Log) -> None:
    lines = await told(log)
    for left_out, where in (
        (events(lines)[3], "after position 3 and before"),
        (events(lines)[5], "missing at the end"),
    ):
        with pytest.raises(Altered, match=where):
            verify([line for line in lines if line is not left_out], [STAMP])


async def test_an_event_that_was_put_in_is_named(log: Log) -> None:
    lines = await told(log)
    third = lines.index(events(lines)[2])
    with pytest.raises(Altered, match="position 10"):
        verify([*lines[: third + 1], replace(events(lines)[2], position=10), *lines[third + 1 :]], [STAMP])
    with pytest.raises(Altered, match="position 3"):
        verify([*lines[: third + 1], events(lines)[2], *lines[third + 1 :]], [STAMP])


BREAKING = {
    "quote": "overlay(data PLACING '\"'::bytea FROM 4)",
    "brace": "overlay(data PLACING '}'::bytea FROM 1)",
    "newline": "overlay(data PLACING '\\x0a'::bytea FROM 4)",
    "newline between": "data || '\\x0a'::bytea",
    "space at the end": "data || ' '::bytea",
    "space before": "' '::bytea || data",
    "zero": "overlay(data PLACING '\\x00'::bytea FROM 4)",
    "no UTF-8": "overlay(data PLACING '\\xff'::bytea FROM 4)",
    "nothing": "''::bytea",
    "a member more": """'1,"streamversion":"1"'::bytea""",
    "an event more": """data || '}'::bytea || '\\x0a'::bytea || '{"specversion":"1.0"}'::bytea""",
    "nested": "repeat('[', 100000)::bytea || repeat(']', 100000)::bytea",
}


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in BREAKING.items()])
async def test_data_that_was_altered_in_the_database_is_named_also_if_it_is_no_json_then(log: Log, value: str) -> None:
    await told(log)
    await alter(log, "data", value, 5)
    with pytest.raises(Altered, match=r"the event at position 5 .* is not what was sealed") as found:
        verify(await written(log), [STAMP])
    assert found.value.position == 5


async def test_an_event_that_was_moved_to_another_partition_in_the_database_is_named(log: Log) -> None:
    await told(log)
    await alter(log, "partition", "(partition + 1) % 12", 5)
    with pytest.raises(Altered, match=r"the event at position 5 .* is not what was sealed"):
        verify(await written(log), [STAMP])


async def test_an_end_that_has_not_the_hash_of_the_last_seal_is_none(log: Log) -> None:
    *lines, end = await told(log)
    assert isinstance(end, End)
    with pytest.raises(Altered, match="the end at 9 has not the hash of the last seal"):
        verify([*lines, msgspec.structs.replace(end, hash=b"x" * 32)], [STAMP])


@pytest.mark.parametrize("end", [1, 4, -1])
async def test_an_archive_that_is_cut_off_is_not_whole(log: Log, end: int) -> None:
    with pytest.raises(Altered, match="cut off"):
        verify((await told(log))[:end], [STAMP])
