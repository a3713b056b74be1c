"""What a request that changes something says in its headers: the version seen, the key, and why."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from fastapi import Request

from steerco_events.postgres.commands import CommandKey
from steerco_service.bodies import one_line
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.identity.principal import Principal
from steerco_service.problems import Problem

ETAG = re.compile(r'"([0-9]{1,9})"')
KEY = re.compile(r"[\x21-\x7e]{1,200}")
_REASON_LIMIT = 10_000
ANY_VERSION = "*"
"""As `If-Match`: the thing is there, at whatever version."""

IF_MATCH, IDEMPOTENCY_KEY, REASON = "If-Match", "Idempotency-Key", "Reason"

DESCRIBED: Sequence[Mapping[str, Any]] = [
    {
        "name": IF_MATCH,
        "description": 'The version that was seen, such as `"3"`; 412 if it is another.',
        "schema": {"type": "string", "pattern": rf"^({ETAG.pattern}|\*)$"},
    },
    {
        "name": IDEMPOTENCY_KEY,
        "description": "Makes the command safe to send twice, for 30 days.",
        "schema": {"type": "string", "pattern": f"^{KEY.pattern}$"},
    },
    {
        "name": REASON,
        "description": "Why: one line, kept with the events (percent-encoded UTF-8).",
        "schema": {"type": "string"},
    },
    {
        "name": CONSISTENCY_TOKEN,
        "description": "Decide only after what this token covers was applied.",
        "schema": {"type": "string"},
    },
]
"""The headers of commands, as OpenAPI has parameters."""


def expected_version(if_match: str | None) -> int | None:
    """The version in `If-Match`; `None` for any. Raises a 400 `Problem`."""
    if if_match is None or if_match.strip() == ANY_VERSION:
        return None
    found = ETAG.fullmatch(if_match.strip())
    if not found:
        raise Problem(400, "malformed-if-match", 'If-Match is a version in quotes, such as "3", or *')
    return int(found[1])


def command_key(request: Request, principal: Principal, body: bytes, key: str | None) -> CommandKey | None:
    """What a repetition of the command is known by. Raises a 400 `Problem`."""
    if key is None:
        return None
    if not KEY.fullmatch(key):
        raise Problem(400, "malformed-idempotency-key", "Idempotency-Key is 1 to 200 visible ASCII characters")
    path: Any = getattr(request.scope.get("route"), "path", request.url.path)
    what = f"{request.url.path}?{request.url.query}\n".encode() + body
    return CommandKey(principal.actor.id, f"{request.method} {path}", key, hashlib.sha256(what).digest())


def checked_reason(reason: str | None) -> str | None:
    """The text of the header `Reason`. Raises a 400 `Problem`."""
    if reason is None:
        return None
    detail = f"Reason is one line of at most {_REASON_LIMIT} characters, percent-encoded UTF-8"
    malformed = Problem(400, "malformed-reason", detail)
    try:
        text = one_line(unquote(reason, errors="strict")).strip()
    except ValueError as error:
        raise malformed from error
    if len(text) > _REASON_LIMIT:
        raise malformed
    return text or None
