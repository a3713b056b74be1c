"""One service's log as a deployment for a unit gets it over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import msgspec

from steerco_service.events.withholding import WITHHELD
from steerco_service.headers import COMPLETE_TO
from steerco_service.mirror.settings import Source
from steerco_service.scoped.sharing import ENTERED, LEFT

ASK_SECONDS = 60.0
SUBJECTS_AT_ONCE = 50

PATIENCE_SECONDS = 30.0
"""So long a history goes on where a source is away: anew, it would be looked for from the beginning."""

PAUSE_SECONDS = 1.0
_AWAY = (429, 502, 503, 504)

type Tokens = Callable[[], Awaitable[str]]
"""Gives the deployment's own token. Raises `NoToken`."""


@dataclass(frozen=True, slots=True)
class Received:
    """An event as it came: its attributes, and its data byte for byte; where fields were withheld, they are empty."""

    attributes: Mapping[str, str]
    data: bytes

    @property
    def id(self) -> str:
        """The same whenever it comes."""
        return self.attributes["id"]

    @property
    def stream(self) -> str:
        """What it happened to."""
        return self.attributes["subject"]


@dataclass(frozen=True, slots=True)
class Page:
    """Events, which subjects entered before them, where the page ended, and up to when the log is whole, if it is."""

    events: Sequence[Received]
    entered: Sequence[str]
    end: str
    complete_to: datetime | None


class SourceRefuses(Exception):
    """The source does not give what was asked for; the text says what it answered."""


class SourceAway(SourceRefuses):
    """The source can't give it now."""


class ScopedSource:
    """Asks one service."""

    def __init__(self, source: Source, service: str, tokens: Tokens, client: httpx.AsyncClient) -> None:
        self._url = f"{source.url}/{service}/scopes/{quote(source.scope, safe='')}/events"
        self._tokens = tokens
        self._client = client

    async def page(self, after: str | None) -> Page:
        """The page after where another ended. Raises `SourceRefuses`, `NoToken` and httpx's errors."""
        return await self._ask({"after": after} if after else {})

    async def history(self, subjects: Collection[str]) -> AsyncIterator[Sequence[Received]]:
        """All that happened to these subjects until now, oldest first for each, page by page. Raises as `page` does.

        A page may be empty: the source goes over a part of its log for each, and says when it has come to the end.
        """
        for some in batched(sorted(subjects), SUBJECTS_AT_ONCE):
            asked: dict[str, Any] = {"subject": list(some)}
            page = await self._ask_on(asked)
            yield page.events
            while page.complete_to is None:
                page = await self._ask_on(asked | {"after": page.end})
                yield page.events

    async def _ask_on(self, parameters: Mapping[str, Any]) -> Page:
        """The same, asked again for some time while the source is away or busy."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while True:
            try:
                return await self._ask(parameters)
            except (SourceAway, httpx.TransportError):
                if loop.time() + PAUSE_SECONDS > until:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self, parameters: Mapping[str, Any]) -> Page:
        headers = {"Authorization": f"Bearer {await self._tokens()}"}
        answer = await self._client.get(self._url, params=parameters, headers=headers)
        if answer.status_code != 200:
            refusal = SourceAway if answer.status_code in _AWAY else SourceRefuses
            raise refusal(f"{self._url} answers {answer.status_code}: {answer.text[:300]}")
        (end,) = parse_qs(urlsplit(answer.links["next"]["url"]).query)["after"]
        complete_to = answer.headers.get(COMPLETE_TO)
        events, entered = received(answer.content)
        return Page(events, entered, end, datetime.fromisoformat(complete_to) if complete_to else None)


def received(body: bytes) -> tuple[Sequence[Received], Sequence[str]]:
    """The events of a page, and the subjects that entered. Raises msgspec's errors for what is none."""
    events, entered = [], []
    for each in msgspec.json.decode(body, type=list[dict[str, msgspec.Raw]]):
        data = each.pop("data", None)
        attributes = {name: msgspec.json.decode(said, type=str) for name, said in each.items()}
        if attributes["type"] == ENTERED:
            entered.append(attributes["subject"])
        elif attributes["type"] != LEFT and data is not None:
            events.append(Received(attributes, _filled(bytes(data), attributes.pop(WITHHELD, ""))))
    return events, entered


def _filled(data: bytes, withheld: str) -> bytes:
    """The data with an empty text for each field that was withheld: nobody can read it here."""
    if not withheld:
        return data
    return msgspec.json.encode(msgspec.json.decode(data) | dict.fromkeys(withheld.split(), ""))
