"""One real event of each type, as a feed gives it in CloudEvents' JSON form: what the reference shows.

They are kept in one file, in the JSON batch format. Two runs differ in the identifiers of commands and events, in
the gaps between positions, in the instants of seals and in secrets, so these are made the same; all else is as it was
told.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import msgspec

from steerco_events.cloudevents import json_of
from steerco_events.contracts.values import ENCRYPTED
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id

type Sample = dict[str, Any]
"""An event in CloudEvents' JSON form."""


def samples(logs: Mapping[str, Sequence[Recorded]]) -> Sequence[Sample]:
    """Of each event version in the logs the one that tells most, the first of these; by type."""
    events = _made_the_same([replace(event, position=n) for log in logs.values() for n, event in enumerate(log, 1)])
    found: dict[tuple[str, int], Recorded] = {}
    for event in events:
        kind = (event.type, event.schema_version)
        if kind not in found or _told(event) > _told(found[kind]):
            found[kind] = event
    return [msgspec.json.decode(json_of(found[kind])) for kind in sorted(found)]


def samples_text(chosen: Sequence[Sample]) -> str:
    """The text of the file."""
    return msgspec.json.format(msgspec.json.encode(chosen), indent=2).decode() + "\n"


def read(path: Path) -> Mapping[str, Sample]:
    """The samples of a file, by the names of their schemas."""
    return {each["dataschema"]: each for each in msgspec.json.decode(path.read_bytes())}


def _told(event: Recorded) -> int:
    data = msgspec.json.decode(event.data)
    return sum(value is not None for value in data.values())


def _made_the_same(events: Sequence[Recorded]) -> Iterable[Recorded]:
    fixed: dict[UUID, UUID] = {}
    for event in events:
        fixed[event.id] = derived_id("sample", event.stream, event.stream_version)
        fixed[derived_id("obligation", event.id)] = derived_id("obligation", fixed[event.id])
    for event in events:
        for command in (event.correlation_id, event.causation_id):
            fixed.setdefault(command, derived_id("sample of the command", event.stream, event.stream_version))
    for event in events:
        data = event.data.decode()
        changed = [(str(old), str(new)) for old, new in fixed.items()]
        for old, new in [*changed, *_secrets(event)]:
            data = data.replace(old, new)
        yield replace(
            event,
            id=fixed[event.id],
            correlation_id=fixed[event.correlation_id],
            causation_id=fixed[event.causation_id],
            sealed_at=event.recorded_at,
            data=data.encode(),
        )


def _secrets(event: Recorded) -> Iterator[tuple[str, str]]:
    """What of an event was encrypted with a key that another run has not, and what stands for it."""
    for name, hint in get_type_hints(type(event.payload), include_extras=True).items():
        if ENCRYPTED in getattr(hint, "__metadata__", ()) and (secret := getattr(event.payload, name)):
            stand_in = f"the secret {name} of {event.stream}".encode()
            yield secret, base64.urlsafe_b64encode(stand_in).decode().rstrip("=")
