"""Server-sent events as a reader has them, block by block."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

PATIENCE = 30
"""Seconds after which a block that should have come will not."""


@dataclass(frozen=True)
class Block:
    """One block of a stream, by its fields; `comment` if it has one."""

    fields: Mapping[str, str]

    @property
    def id(self) -> str:
        """Where the stream stands after it."""
        return self.fields["id"]

    @property
    def event(self) -> Any:
        """What it tells."""
        return json.loads(self.fields["data"])


class Reader:
    """Reads a stream block by block."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._chunks = response.aiter_bytes()
        self._rest = b""

    async def block(self) -> Block | None:
        """The next one; `None` at the clean end of the stream."""
        async with asyncio.timeout(PATIENCE):
            while b"\n\n" not in self._rest:
                chunk = await anext(self._chunks, None)
                if chunk is None:
                    assert self._rest == b"", "the stream broke off inside a block"
                    return None
                self._rest += chunk
        block, _, self._rest = self._rest.partition(b"\n\n")
        lines = (line.partition(":") for line in block.decode().split("\n"))
        return Block({name or "comment": value.removeprefix(" ") for name, _, value in lines})

    async def events(self, count: int) -> Sequence[Block]:
        """The next events, whatever comes between them."""
        found: list[Block] = []
        while len(found) < count:
            block = await self.block()
            assert block, f"the stream ended after {len(found)} events of {count}"
            if "data" in block.fields:
                found.append(block)
        return found

    async def rest(self) -> Sequence[Block]:
        """All that tells something, up to the clean end of the stream."""
        found: list[Block] = []
        while block := await self.block():
            if "data" in block.fields:
                found.append(block)
        return found
