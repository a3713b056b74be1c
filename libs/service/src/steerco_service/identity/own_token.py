"""A service's own token, by which it asks other services: told to it, or of the client credentials grant."""

import asyncio
from datetime import datetime, timedelta

import httpx

from steerco_events.clock import Clock
from steerco_service.identity.discovery import DIRECT, FETCH_SECONDS, IssuerUnusable, Way, document_of

RENEWED_BEFORE = timedelta(seconds=30)
"""So long before its end a token is renewed."""


class NoToken(Exception):
    """The service has no token of its own now; the text says why."""


class ToldToken:
    """One that the process was told at its start."""

    def __init__(self, token: str) -> None:
        self._token = token

    async def __call__(self) -> str:
        """The token."""
        return self._token


class ClientCredentials:
    """Tokens of the issuer for the service as a client of its own (RFC 6749, 4.4), each used until shortly before its
    end."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, clock: Clock, way: Way = DIRECT) -> None:
        self._issuer = issuer
        self._way = way
        self._client = httpx.BasicAuth(client_id, client_secret)
        self._clock = clock
        self._asking = asyncio.Lock()
        self._token = ""
        self._until: datetime | None = None

    async def __call__(self) -> str:
        """The token. Raises `NoToken`."""
        async with self._asking:
            now = self._clock.now()
            if self._until is None or now >= self._until:
                self._token, lasts = await self._granted()
                self._until = now + lasts - RENEWED_BEFORE
        return self._token

    async def _granted(self) -> tuple[str, timedelta]:
        try:
            async with httpx.AsyncClient(timeout=FETCH_SECONDS) as client:
                address = (await document_of(client, self._issuer, self._way)).get("token_endpoint")
                if not self._way.trusts(address):
                    raise NoToken("the issuer's token_endpoint is no https URL")
                answer = await client.post(str(address), data={"grant_type": "client_credentials"}, auth=self._client)
                answer.raise_for_status()
                granted = answer.json()
                return str(granted["access_token"]), timedelta(seconds=float(granted["expires_in"]))
        except (IssuerUnusable, httpx.HTTPError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise NoToken(f"{self._issuer} gave this service no token: {type(error).__name__}") from error
