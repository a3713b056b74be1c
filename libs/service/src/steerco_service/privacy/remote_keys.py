"""The keys as portfolio serves them to the other services, each of which shows a token of its own."""

import base64
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any
from uuid import UUID

import httpx

from steerco_events.trace_contexts import traceparent
from steerco_service.identity.own_token import NoToken
from steerco_service.privacy.keys import KeysUnavailable

MOST_AT_ONCE = 200
"""Subjects of one request."""

ASK_SECONDS = 1.0
"""Whoever asks holds a connection meanwhile; a name is not worth more."""

type Tokens = Callable[[], Awaitable[str]]
"""Gives the service's own token. Raises `NoToken`."""


class RemoteKeys:
    """Asks portfolio, of as many at a time as one request may name."""

    def __init__(self, portfolio_url: str, tokens: Tokens) -> None:
        self._url = f"{portfolio_url.rstrip('/')}/keys"
        self._tokens = tokens

    async def find(self, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        """The keys of those subjects that have one. Raises `KeysUnavailable`."""
        found: dict[UUID, bytes] = {}
        wanted = sorted(subjects)
        try:
            headers = {"Authorization": f"Bearer {await self._tokens()}"}
        except NoToken as error:
            raise KeysUnavailable(str(error)) from error
        if context := traceparent():
            headers["traceparent"] = context
        async with httpx.AsyncClient(headers=headers, timeout=ASK_SECONDS) as client:
            for start in range(0, len(wanted), MOST_AT_ONCE):
                found |= await self._ask(client, wanted[start : start + MOST_AT_ONCE])
        return found

    async def _ask(self, client: httpx.AsyncClient, subjects: Collection[UUID]) -> Mapping[UUID, bytes]:
        try:
            answer = await client.get(self._url, params={"subject": [str(subject) for subject in subjects]})
            answer.raise_for_status()
            document: dict[str, Any] = answer.json()
            return {UUID(each["subject"]): base64.b64decode(each["key"]) for each in document["keys"]}
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise KeysUnavailable(f"portfolio did not give the keys: {type(error).__name__}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise KeysUnavailable("portfolio answered with what are no keys") from error
