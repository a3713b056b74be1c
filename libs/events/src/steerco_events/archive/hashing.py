"""The hashes that seals are made of, as `log.event_hash` and `log.seal_hash` compute them in the database.

A field goes into a hash as a netstring, `<length in bytes>:<text>`, and as `-` where there is none, so no two
events are the same text. On whose behalf an event is stands with its actor. Instants are microseconds since 1970, UTC.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

from steerco_events.envelope import Recorded

SIZE = 32
"""Bytes of a hash (SHA-256)."""

START = bytes(SIZE)
"""What the first seal has before it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def netstring(value: object) -> bytes:
    """A field of a hash."""
    if value is None:
        return b"-"
    encoded = str(value).encode()
    return b"%d:%s" % (len(encoded), encoded)


def microseconds(at: datetime | None) -> int | None:
    """An instant in a hash."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def event_hash(event: Recorded) -> bytes:
    """The hash of an event: its position, all that surrounds it, and its data."""
    fields = (
        event.position,
        event.id,
        event.stream,
        event.stream_version,
        event.partition,
        event.type,
        event.schema_version,
        microseconds(event.recorded_at),
        microseconds(event.valid_at),
        event.actor.id if event.on_behalf_of is None else f"{event.actor.id}/{event.on_behalf_of}",
        event.actor.job_title,
        event.client,
        event.reason,
        event.correlation_id,
        event.causation_id,
        event.traceparent,
        ",".join(map(str, event.org_units)),
    )
    return sha256(b"".join(map(netstring, fields)) + event.data).digest()


def seal_hash(previous: bytes, generation: int, first: int, last: int, sealed_at: datetime, hashes: bytes) -> bytes:
    """The hash of a seal: that of the one before, what it covers and when, and the hashes of its events in order."""
    fields = (generation, first, last, microseconds(sealed_at))
    return sha256(previous + b"".join(map(netstring, fields)) + hashes).digest()
