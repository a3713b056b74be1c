"""The log on its way to Kafka: sealed events with their headers, formatted by the database, faster than we could."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from steerco_events.cloudevents import CONTENT_TYPE, OPTIONAL, SEQUENCE_DIGITS, SPECVERSION, source_of
from steerco_events.envelope import Recorded
from steerco_events.kafka.headers import Headers, Outgoing, header_of
from steerco_events.postgres.feed import StoreFeed, select_sealed


def _instant(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


_VALUES = {
    "subject": "stream",
    "id": "id::text",
    "type": "type",
    "time": _instant("recorded_at"),
    "dataschema": "'urn:steerco:' || replace(substr(type, length('steerco.') + 1), '.', ':') || ':' || schema_version",
    "sequence": f"lpad(position::text, {SEQUENCE_DIGITS}, '0')",
    "correlationid": "correlation_id::text",
    "causationid": "causation_id::text",
    "streamversion": "stream_version::text",
    "loggeneration": "generation::text",
    "sealedat": _instant("sealed_at"),
    "actor": "actor || ' ' || actor_title",
    "client": "client",
    "traceparent": "traceparent",
    "orgunits": "nullif(array_to_string(org_units, ','), '')",
    "reason": "reason",
    "validat": _instant("valid_at"),
    "onbehalfof": "on_behalf_of::text",
}
"""`cloudevents.values_of`, in SQL, but for what an event has by its log or twice.

The subject comes first, for it is the key, too; what an event may lack comes last.
"""

_OPTIONAL = tuple(header_of(name) for name in _VALUES if name in OPTIONAL)
_REQUIRED = tuple(header_of(name) for name in _VALUES if name not in OPTIONAL)
_PARTITION_KEY = header_of("partitionkey")
_FIRST, _LAST = 3, 3 + len(_REQUIRED)


class OutgoingFeed(StoreFeed):
    """What a relay reads: the events are `Outgoing`."""

    _SELECT = select_sealed(
        "position, partition, data", *(f"convert_to({value}, 'UTF8')" for value in _VALUES.values())
    )

    @cached_property
    def _same(self) -> Headers:
        """What all events of the log have alike."""
        same = {"specversion": SPECVERSION, "source": source_of(self.service), "datacontenttype": CONTENT_TYPE}
        return [(header_of(name), value.encode()) for name, value in same.items()]

    def _event(self, row: Sequence[Any]) -> Recorded:
        key = row[_FIRST]
        headers = [
            *self._same,
            (_PARTITION_KEY, key),
            *zip(_REQUIRED, row[_FIRST:_LAST], strict=True),
            *[header for header in zip(_OPTIONAL, row[_LAST:], strict=True) if header[1] is not None],
        ]
        return Outgoing.of(
            position=row[0],
            partition=row[1],
            data=row[2],
            key=key,
            headers=headers,
            service=self._service,
            registry=self._registry,
        )
