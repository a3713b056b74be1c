"""Following the services' event streams: server-sent events, taken up again after every break where they broke."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from steerco.client import CommandFailed, problem_in, problem_of

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
PROBLEM = "steerco.problem"

_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a stream; without `data` it only says how far the stream is."""

    id: str | None
    event: str
    data: str | None


class Blocks:
    """Takes a stream apart as the HTML standard says. What came of a block that was never finished is dropped."""

    def __init__(self) -> None:
        self._rest = b""
        self._fields: dict[str, list[str]] = {}

    def of(self, chunk: bytes) -> Iterator[Block]:
        """The blocks that a further chunk of the stream completes."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        for line in lines:
            if line:
                name, _, value = line.decode("utf-8", "replace").partition(":")
                self._fields.setdefault(name, []).append(value.removeprefix(" "))
                continue
            fields, self._fields = self._fields, {}
            ids = [value for value in fields.get("id", []) if "\x00" not in value]
            data = "\n".join(fields["data"]) if "data" in fields else None
            yield Block(ids[-1] if ids else None, fields.get("event", ["message"])[-1], data)


@dataclass(frozen=True, slots=True)
class Question:
    """Which events of one service are followed, from where."""

    service: str
    after: str
    filters: Mapping[str, Sequence[str]]


class _Broken(Exception):
    """There is no stream now; there may be one later."""


class _TokenEnded(Exception):
    """The token of the request is not good any more."""


class Following:
    """Follows several services at once. `tell` is given each event, as JSON text, once; `say_broken` is called when
    the first of the connections breaks while all the others stand. `headers_now` says who we are when a token ended;
    it may block.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        tell: Callable[[str], None],
        say_broken: Callable[[], None],
        headers_now: Callable[[], Mapping[str, str]],
    ) -> None:
        self._http = http
        self._tell = tell
        self._say_broken = say_broken
        self._headers_now = headers_now
        self._renewing = asyncio.Lock()
        self._broken: set[str] = set()

    async def run(self, questions: Sequence[Question]) -> None:
        """Until cancelled. Raises `CommandFailed` when a service says that it won't answer, also with a new token."""
        following = [asyncio.create_task(self._follow(question)) for question in questions]
        try:
            await asyncio.gather(*following)
        finally:
            for each in following:
                each.cancel()
            await asyncio.gather(*following, return_exceptions=True)

    async def _follow(self, question: Question) -> None:
        last_id: str | None = None
        pause = FIRST_PAUSE
        is_renewed = False
        while True:
            headers = dict(self._http.headers)
            try:
                async for block in self._blocks(question, last_id):
                    self._broken.discard(question.service)
                    pause = FIRST_PAUSE
                    if block.event == PROBLEM:
                        problem = json.loads(block.data or "{}")
                        raise _ended_by(problem["status"], problem_in(problem))
                    is_renewed = False
                    if block.data is not None:
                        self._tell(block.data)
                    last_id = block.id or last_id
            except (httpx.TransportError, _Broken):
                pass
            except _TokenEnded as ended:
                if is_renewed:
                    raise CommandFailed(str(ended)) from ended
                await self._renew(headers)
                is_renewed = True
                continue
            if not self._broken:
                self._say_broken()
            self._broken.add(question.service)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _renew(self, before: Mapping[str, str]) -> None:
        """Say who we are anew, once for all that were refused with the same headers. Raises `CommandFailed`."""
        async with self._renewing:
            if dict(self._http.headers) == before:
                self._http.headers.update(await asyncio.to_thread(self._headers_now))

    async def _blocks(self, question: Question, last_id: str | None) -> AsyncIterator[Block]:
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        params = {"after": question.after, **question.filters}
        async with self._http.stream("GET", f"/{question.service}/events", params=params, headers=headers) as answer:
            if answer.is_error:
                await answer.aread()
                raise _ended_by(answer.status_code, problem_of(answer))
            blocks = Blocks()
            async for chunk in answer.aiter_bytes():
                for block in blocks.of(chunk):
                    yield block


def _ended_by(status: int, why: str) -> Exception:
    """What the end of a stream, or its refusal, comes to."""
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        return _Broken(why)
    return _TokenEnded(why) if status == httpx.codes.UNAUTHORIZED else CommandFailed(why)
