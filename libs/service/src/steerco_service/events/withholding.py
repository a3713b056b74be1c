"""What of an event a reader does not get: the fields of a class that they may not see where it happened."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from steerco_events.cloudevents import json_of
from steerco_events.contracts.values import FieldClass, classed_fields
from steerco_events.envelope import Recorded
from steerco_service.access.permissions import SHOWN_TO
from steerco_service.access.scope import Scope
from steerco_service.asking import Asking

WITHHELD = "withheld"
"""The attribute that names the fields which an event lacks for this reader."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a reader sees events, and where in them the fields of each class."""

    scope: Scope
    shown: tuple[tuple[FieldClass, Scope], ...]

    @classmethod
    def of(cls, asking: Asking) -> "Reach":
        """That of who asks."""
        return cls(asking.scope, tuple((fields, asking.seeing(fields).scope) for fields in SHOWN_TO))

    def withheld(self, event: Recorded) -> tuple[str, ...]:
        """The names of the fields that the reader does not get of an event; all, of a version that is not known."""
        hidden = [fields for fields, scope in self.shown if not scope.has_all(event.org_units)]
        if not hidden:
            return ()
        kind = event.registry.payload_of(event.type, event.schema_version)
        if kind is None:
            return tuple(msgspec.json.decode(event.data))
        return tuple(name for fields in hidden for name in classed_fields(kind, fields))

    def json(self, event: Recorded) -> bytes:
        """The event in CloudEvents' JSON form, without what is withheld; its data are else what the log holds."""
        names = self.withheld(event)
        if not names:
            return json_of(event)
        data: dict[str, Any] = msgspec.json.decode(event.data)
        left = msgspec.json.encode({name: value for name, value in data.items() if name not in names})
        return json_of(replace(event, data=left), {WITHHELD: " ".join(names)})

    def batch(self, events: Iterable[Recorded]) -> bytes:
        """Events in the JSON batch format, likewise."""
        return b"[" + b",".join(map(self.json, events)) + b"]"
