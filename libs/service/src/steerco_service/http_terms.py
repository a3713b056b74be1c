"""What the parts that see requests pass by call the same."""

from collections.abc import Iterable

FAULT = 500
"""From this status on it was our fault."""

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""Those that are named in spans and metrics: what else somebody makes up is no name."""

EVENT_STREAM = "text/event-stream"


def is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether an answer with these headers is a stream of events, which has no end of its own."""
    return any(name == b"content-type" and kind.startswith(EVENT_STREAM.encode()) for name, kind in headers)
