"""The log on its way to Kafka: sealed events whose headers the database makes, which it does faster than we could."""

from collections.abc import Sequence
from typing import Any

from steerco_events.cloudevents import ATTRIBUTES, SEQUENCE_DIGITS
from steerco_events.envelope import Recorded
from steerco_events.kafka.headers import NAMES, Outgoing
from steerco_events.postgres.feed import StoreFeed, select_sealed


def _instant(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_VALUES = {
    "specversion": "'1.0'",
    "id": "id::text",
    "source": "'urn:steerco:' || CAST(:service AS text)",
    "type": "type",
    "subject": "stream",
    "time": _instant("recorded_at"),
    "dataschema": "'urn:steerco:' || replace(substr(type, length('steerco.') + 1), '.', ':') || ':' || schema_version",
    "datacontenttype": "'application/json'",
    "partitionkey": "stream",
    "sequence": f"lpad(position::text, {SEQUENCE_DIGITS}, '0')",
    "correlationid": "correlation_id::text",
    "causationid": "causation_id::text",
    "traceparent": "traceparent",
    "streamversion": "stream_version::text",
    "loggeneration": "generation::text",
    "orgunits": "nullif(array_to_string(org_units, ','), '')",
    "sealedat": _instant("sealed_at"),
    "actor": "actor || ' ' || actor_title",
    "client": "client",
    "reason": "reason",
    "validat": _instant("valid_at"),
}
"""`cloudevents.values_of`, in SQL."""


class OutgoingFeed(StoreFeed):
    """What a relay reads: the events are `Outgoing`."""

    _SELECT = select_sealed(
        "position, partition, stream, data",
        *(f"convert_to({_VALUES[name]}, 'UTF8')" for name in ATTRIBUTES),
    )

    def _event(self, row: Sequence[Any]) -> Recorded:
        position, partition, stream, data, *values = row
        headers = [each for each in zip(NAMES, values, strict=True) if each[1] is not None]
        return Outgoing.of(position, partition, stream, data, headers, self._service, self._registry)
