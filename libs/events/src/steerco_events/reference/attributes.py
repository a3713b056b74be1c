"""The attributes of every event, described: for the reference, and as a schema for those who check."""

from collections.abc import Callable, Mapping

from steerco_events import cloudevents
from steerco_events.reference.compatibility import Schema

_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_COUNTED = "^[1-9][0-9]*$"


def _text(description: str, **limits: str) -> Schema:
    return {"type": "string", "description": description, **limits}


ATTRIBUTES: Mapping[str, Schema] = {
    "specversion": {"const": "1.0", "description": "Version of CloudEvents."},
    "id": _text("The same event has the same id, however often it is delivered (uuid5 of its command).", format="uuid"),
    "source": _text("The service whose event it is.", pattern="^urn:steerco:[a-z]+$"),
    "type": _text("What happened; without a version.", pattern=r"^steerco\.[a-z]+\.[a-z-]+$"),
    "subject": _text("The stream: what it happened to."),
    "time": _text("When it was recorded (UTC).", format="date-time"),
    "dataschema": _text("Names the version of the data's schema.", pattern="^urn:steerco:[a-z]+:[a-z-]+:[1-9][0-9]*$"),
    "datacontenttype": {"const": "application/json", "description": "What the data is."},
    "partitionkey": _text("The stream again: events of one stream come in their order."),
    "sequence": _text(
        "Position in the service's log: grows, and may have gaps.", pattern=f"^[0-9]{{{cloudevents.SEQUENCE_DIGITS}}}$"
    ),
    "correlationid": _text("The command at the beginning of it all.", format="uuid"),
    "causationid": _text("The command or event that led to it.", format="uuid"),
    "streamversion": _text("Its place in the stream, from 1 without a gap.", pattern=_COUNTED),
    "loggeneration": _text("The generation of the log: another one begins when it is restored.", pattern=_COUNTED),
    "sealedat": _text("When its place in the log became final (UTC): what *as of* means.", format="date-time"),
    "actor": _text("Who: an id and a job title, never a name.", pattern=f"^{_UUID} "),
    "client": _text("The program through which it was done."),
    "traceparent": _text(
        "The trace (W3C), if the command was traced.", pattern="^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"
    ),
    "orgunits": _text(
        "The units that the writer believed concerned, separated by commas: for filters, never for decisions.",
        pattern=f"^{_UUID}(,{_UUID})*$",
    ),
    "reason": _text("Why, if somebody said."),
    "validat": _text("When it was true, if at another instant than it was recorded (UTC).", format="date-time"),
    "onbehalfof": _text("For whom the actor did it, if for somebody else: an id.", format="uuid"),
}


def attributes_schema(name_of: Callable[[str], str] = str) -> Schema:
    """The schema of all the attributes of an event, as a binding names them."""
    return {
        "type": "object",
        "properties": {name_of(name): ATTRIBUTES[name] for name in cloudevents.ATTRIBUTES},
        "required": [name_of(name) for name in cloudevents.REQUIRED],
    }
