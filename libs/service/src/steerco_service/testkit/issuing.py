"""An OIDC issuer behind a real port: it tells of itself, publishes its keys, and signs whatever it is asked to."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from steerco_service.identity.discovery import DISCOVERY
from steerco_service.testkit.listening import Listening, listening

JWKS = "/keys"

SUBJECT = "0198c1de-0000-7000-8000-0000000000ff"

type SigningKey = RSAKey | ECKey | OKPKey
type Answer = Callable[[], Awaitable[Response]]


class OidcIssuer:
    """An issuer. What it publishes, what it says of itself and how it answers may be changed at any time.

    `published` are its keys, `about` goes over its discovery document, `answers` takes the place of an address's
    answer, and `asked` counts the requests.
    """

    def __init__(self, *keys: SigningKey) -> None:
        self.published: list[dict[str, Any]] = [public(key) for key in keys]
        self.about: dict[str, Any] = {}
        self.answers: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()
        self.released = asyncio.Event()
        self._stack = AsyncExitStack()
        self._server: Listening | None = None
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        self.asked[path] += 1
        if path in self.answers:
            response = await self.answers[path]()
        elif path == DISCOVERY:
            response = JSONResponse({"issuer": self.url, "jwks_uri": self.url + JWKS} | self.about)
        elif path == JWKS:
            response = JSONResponse({"keys": self.published})
        else:
            response = Response(status_code=404)
        await response(scope, receive, send)

    async def come(self) -> None:
        """Listen, at the same address as before."""
        server = await self._stack.enter_async_context(listening(self, urlsplit(self.url).port or 0))
        self.url = server.url

    async def go(self) -> None:
        """Listen no more."""
        self.released.set()
        await self._stack.aclose()

    async def held(self) -> Response:
        """An answer that does not come until `released` is set."""
        await self.released.wait()
        return Response(status_code=500)

    async def dripping(self) -> Response:
        """An answer that comes bit by bit and has no end until `released` is set."""

        async def bits() -> AsyncIterator[bytes]:
            while not self.released.is_set():
                yield b" "
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await self.released.wait()

        return StreamingResponse(bits())

    def claims(self, now: datetime, **changes: Any) -> dict[str, Any]:
        """The claims of a person's access token; what is changed to `None` is left out."""
        claims = {
            "iss": self.url,
            "aud": ["account", "steerco"],
            "sub": SUBJECT,
            "azp": "workbench",
            "typ": "Bearer",
            "job_title": "Project manager",
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=5)).timestamp()),
        } | changes
        return {name: value for name, value in claims.items() if value is not None}


def public(key: SigningKey) -> dict[str, Any]:
    """The public half of a key, as an issuer publishes it."""
    return dict(key.as_dict(private=False, kid=key.thumbprint(), use="sig"))


def signed(key: SigningKey, algorithm: str, claims: Any, **header: Any) -> str:
    """A token; what the header is changed by `None` is left out."""
    whole = {"alg": algorithm, "typ": "JWT", "kid": key.thumbprint()} | header
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    shown = {name: value for name, value in whole.items() if value is not None}
    return jws.serialize_compact(shown, json.dumps(claims), key, registry=registry)


@asynccontextmanager
async def oidc_issuer(*keys: SigningKey) -> AsyncIterator[OidcIssuer]:
    """An issuer that listens, and publishes these keys."""
    issuer = OidcIssuer(*keys)
    await issuer.come()
    try:
        yield issuer
    finally:
        await issuer.go()
