"""What the last import said, kept in the edition, so that only what the register changed becomes a command.

It only ever suppresses commands: without it, a register is compared with what is there.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from steerco.client import NOTHING_SEEN, Client
from steerco.register_import.entries import Entry, Json
from steerco.register_import.plan import REASON, Command, Memory, facts_of
from steerco_events.positions import Token

AT_ONCE = 500


def memory_of(rows: Iterable[Mapping[str, Any]]) -> Memory:
    """What the rows that portfolio keeps of a source say, by reference; what is withheld is not remembered."""
    return {
        row["reference"]: {name: json.loads(text) for name, text in row["said"].items()}
        for row in rows
        if row["said"] is not None
    }


def news(entries: Iterable[Entry], memory: Memory, source: str) -> Iterator[Command]:
    """The commands that keep what entries say otherwise than is remembered."""
    for entry in entries:
        facts = facts_of(entry)
        if memory.get(entry.reference) != facts:
            yield {
                "method": "PUT",
                "path": f"/projects/{entry.project_id}/register-row",
                "body": {"source": source, "reference": entry.reference, "said": _texts(facts)},
                "group": entry.reference,
                "reason": REASON,
            }


def _texts(facts: Mapping[str, Json]) -> Mapping[str, str]:
    return {name: json.dumps(body, sort_keys=True) for name, body in facts.items()}


class KeptMemory:
    """What portfolio keeps of one source."""

    def __init__(self, client: Client, source: str) -> None:
        self._client = client
        self._source = source
        self.said = memory_of(client.pages("/portfolio/register-rows", source=source))

    def remember(self, entries: Iterable[Entry]) -> Token:
        """These entries are loaded whole; what that covers.

        Raises `CommandFailed`; the next import then compares with what is there.
        """
        commands: Sequence[Command] = list(news(entries, self.said, self._source))
        seen = NOTHING_SEEN
        for start in range(0, len(commands), AT_ONCE):
            for answer in self._client.batch("portfolio", commands[start : start + AT_ONCE], NOTHING_SEEN):
                if answer["status"] < 400:
                    seen = seen.merged(Token.decode(answer["headers"]["consistency-token"]))
        return seen
