"""Many commands in one request, each accepted or refused alone, exactly as if it had come by itself."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, unquote

import msgspec
from fastapi import Header, Request
from pydantic import AfterValidator, BaseModel, Field

from steerco_service.asking import Asker, runtime_of
from steerco_service.bodies import Body
from steerco_service.consistency import token_of_header, wait_until
from steerco_service.dispatch import dispatch
from steerco_service.headers import CONSISTENCY_TOKEN
from steerco_service.routing import router

LARGEST_BATCH = 500
CONCURRENT_GROUPS = 6

routes = router("batch")


def _no_batch(path: str) -> str:
    if unquote(path.partition("?")[0]).strip("/") == "batch":
        raise ValueError("a batch holds commands, not batches")
    return path


class BatchedCommand(Body):
    """One command: the request that would send it alone."""

    method: Literal["POST", "PUT", "DELETE"] = "POST"
    path: Annotated[str, Field(pattern=r"^/[!-~]{1,500}$", examples=["/pitches"]), AfterValidator(_no_batch)]
    body: dict[str, Any] | None = None
    if_match: str | None = None
    idempotency_key: str | None = None
    reason: str | None = None
    group: Annotated[
        str,
        Field(max_length=200, description="Commands of one group run in their order, groups side by side."),
    ] = ""


class Batch(Body):
    """At most 500 commands."""

    commands: Annotated[
        list[BatchedCommand],
        Field(min_length=1, max_length=LARGEST_BATCH, examples=[[{"path": "/pitches", "body": {"title": "…"}}]]),
    ]


class BatchedAnswer(BaseModel):
    """What came of one command: its own status, headers and body."""

    status: int
    headers: dict[str, str]
    body: Any = None


class BatchAnswer(BaseModel):
    """One answer for each command, in their order."""

    answers: list[BatchedAnswer]


_KEPT_HEADERS = ("etag", "location", CONSISTENCY_TOKEN.lower())


@routes.post("/batch", summary="Send up to 500 commands, each accepted or refused alone")
async def send_batch(
    batch: Batch,
    request: Request,
    asker: Asker,
    authorization: Annotated[str, Header(include_in_schema=False)],
    consistency_token: Annotated[str | None, Header()] = None,
) -> BatchAnswer:
    """Commands of one group run one after the other; different groups run side by side."""
    await wait_until(runtime_of(request), token_of_header(consistency_token), asker.deadline)
    answers: list[BatchedAnswer | None] = [None] * len(batch.commands)
    groups: dict[str, list[int]] = {}
    for n, command in enumerate(batch.commands):
        groups.setdefault(command.group, []).append(n)
    gate = asyncio.Semaphore(CONCURRENT_GROUPS)

    async def run(members: list[int]) -> None:
        async with gate:
            for n in members:
                answers[n] = await _send(request, batch.commands[n], authorization)

    async with asyncio.TaskGroup() as tasks:
        for members in groups.values():
            tasks.create_task(run(members))
    return BatchAnswer(answers=[answer for answer in answers if answer])


async def _send(request: Request, command: BatchedCommand, authorization: str) -> BatchedAnswer:
    headers: Mapping[str, str | None] = {
        "authorization": authorization,
        "content-type": "application/json",
        "if-match": command.if_match,
        "idempotency-key": command.idempotency_key,
        "reason": quote(command.reason) if command.reason else None,
    }
    given = {name: value for name, value in headers.items() if value is not None}
    body = b"" if command.body is None else msgspec.json.encode(command.body)
    answered = await dispatch(request, command.method, command.path, given, body)
    kept = {name: answered.headers[name] for name in _KEPT_HEADERS if name in answered.headers}
    content = msgspec.json.decode(answered.body) if answered.body else None
    return BatchedAnswer(status=answered.status, headers=kept, body=content)
