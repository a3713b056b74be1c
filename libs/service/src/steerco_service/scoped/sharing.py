"""An event as a deployment for a scope gets it: without numbers that tell of others, and of a unit above, bare."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from steerco_events.cloudevents import SPECVERSION, attributes_of, instant, source_of
from steerco_events.contracts.values import classed_fields
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_service.events.withholding import WITHHELD
from steerco_service.scoped.holding import Crossing, Share

DENSE = ("sequence", "loggeneration", "streamversion")
"""They count what happens anywhere in a log, or in a stream that several units have in common."""

ENTERED, LEFT = "steerco.scope.entered", "steerco.scope.left"

NOBODY = UUID(int=0)
NOT_SAID = ("reason", "traceparent", "onbehalfof", "orgunits")

type Told = Mapping[str, Any]
"""An event in the JSON format."""


def told(event: Recorded, share: Share, *, shows_people: bool) -> Told:
    """An event in the JSON format; without the personal fields for who may not see them."""
    attributes: dict[str, Any] = {name: said for name, said in attributes_of(event).items() if name not in DENSE}
    if share == "bare":
        return _bare(attributes, event)
    names = _withheld(event) if not shows_people else ()
    if not names:
        return attributes | {"data": msgspec.Raw(event.data)}
    data: dict[str, Any] = msgspec.json.decode(event.data)
    left = {name: said for name, said in data.items() if name not in names}
    return attributes | {WITHHELD: " ".join(names), "data": left}


def told_crossing(service: str, crossing: Crossing) -> Told:
    """That a subject entered or left, as an event of its own; it is in no log."""
    return {
        "specversion": SPECVERSION,
        "id": str(derived_id(crossing.way, service, crossing.subject, crossing.at.isoformat())),
        "source": source_of(service),
        "type": ENTERED if crossing.way == "entered" else LEFT,
        "subject": crossing.subject,
        "time": instant(crossing.at),
    }


def _withheld(event: Recorded) -> tuple[str, ...]:
    kind = event.registry.payload_of(event.type, event.schema_version)
    return classed_fields(kind, "personal") if kind else ()


def _bare(attributes: dict[str, Any], event: Recorded) -> Told:
    """What binds those below a unit, and its id: no name and code of it, nor who did it, nor why."""
    id = str(derived_id("bare", event.id))
    data: dict[str, Any] = msgspec.json.decode(event.data)
    if "code" in data:
        data |= {"code": data["unit_id"], "name": "", "kind": "enterprise"}
    shown = {name: said for name, said in attributes.items() if name not in NOT_SAID}
    nobody = {"id": id, "correlationid": id, "causationid": id, "actor": f"{NOBODY} Somebody", "client": "steerco"}
    return shown | nobody | {"data": data}
