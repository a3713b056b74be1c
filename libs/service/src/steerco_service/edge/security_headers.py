"""Headers that tell browsers to keep to what an answer says it is, on every answer: errors and streams, too."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "default-src 'none'; frame-ancestors 'none'"
"""Of what an API answers: nothing in it is ever run, loaded or framed."""

YEAR_SECONDS = 365 * 24 * 3600

DEFAULTS = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class SecurityHeaders:
    """ASGI middleware: gives an answer each of them that its route did not set.

    One that was asked for by https also says for how long to ask by nothing else; 0 seconds: it does not.
    """

    def __init__(self, app: ASGIApp, hsts_seconds: int = YEAR_SECONDS) -> None:
        self._app = app
        hsts = ((b"strict-transport-security", b"max-age=%d" % hsts_seconds),) if hsts_seconds else ()
        self._by_https = DEFAULTS + hsts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        defaults = self._by_https if scope["scheme"] == "https" else DEFAULTS

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                there = {name for name, _ in headers}
                message["headers"] = headers + [each for each in defaults if each[0] not in there]
            await send(message)

        await self._app(scope, receive, guarded)
