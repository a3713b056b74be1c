"""The sites whose scripts may ask: none, unless each is named by its origin."""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from steerco_service.headers import CONSISTENCY_TOKEN

METHODS = ("DELETE", "GET", "HEAD", "POST", "PUT")

ALLOWED = (
    *("Authorization", CONSISTENCY_TOKEN, "Idempotency-Key", "If-Match", "Last-Event-ID", "Reason"),
    *("traceparent", "tracestate"),
)
"""What a script may send, beside what it always may."""

EXPOSED = (CONSISTENCY_TOKEN, "ETag", "Link", "Location", "Retry-After", "traceresponse", "WWW-Authenticate")
"""What a script may read of an answer's head, beside what it always may."""

_PORTS = {"http": 80, "https": 443}


def is_origin(text: str) -> bool:
    """Whether browsers say an origin (RFC 6454) so: scheme, host, and a port that is not the scheme's own."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or parts.scheme not in _PORTS or "*" in host or not text.isascii():
        return False
    host = f"[{host}]" if ":" in host else host
    shown = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return text == f"{parts.scheme}://{host}{shown}"


def opened_to(origins: Collection[str], app: ASGIApp) -> ASGIApp:
    """The application, answering to scripts of these origins. Tokens are sent in a header: cookies are not allowed."""
    return CORSMiddleware(
        app, allow_origins=origins, allow_methods=METHODS, allow_headers=ALLOWED, expose_headers=EXPOSED
    )
