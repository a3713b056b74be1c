"""Showing who people are: their names and addresses, read with their keys for one answer and kept nowhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from steerco_service.privacy.encryption import Undecipherable, decrypted
from steerco_service.privacy.keys import Keys, KeysUnavailable
from steerco_service.reference.people import PersonRow

NAME, EMAIL = "name", "email"

type Withheld = Literal["not permitted", "erased", "unavailable"]
"""Why it is not shown who somebody is: who asks may not see it, nobody can any more, or not just now."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a person, or why it is not."""

    name: str | None = None
    email: str | None = None
    withheld: Withheld | None = None


async def shown(keys: Keys, people: Iterable[tuple[PersonRow, bool]]) -> Mapping[UUID, Shown]:
    """What to show of people, of each of whom is said whether who asks may see it."""
    found: dict[UUID, Shown] = {}
    readable: dict[UUID, PersonRow] = {}
    for row, is_permitted in people:
        if row.is_erased:
            found[row.person_id] = Shown(withheld="erased")
        elif not is_permitted:
            found[row.person_id] = Shown(withheld="not permitted")
        else:
            readable[row.person_id] = row
    try:
        held = await keys.find(readable)
    except KeysUnavailable:
        return found | dict.fromkeys(readable, Shown(withheld="unavailable"))
    return found | {person_id: _read(row, held.get(person_id)) for person_id, row in readable.items()}


def _read(row: PersonRow, key: bytes | None) -> Shown:
    """Without its key nobody reads it; that of another gives nothing either."""
    if key is None or row.name is None:
        return Shown(withheld="unavailable")
    try:
        name = decrypted(row.name, key, row.person_id, NAME)
        email = decrypted(row.email, key, row.person_id, EMAIL) if row.email else None
    except Undecipherable:
        return Shown(withheld="unavailable")
    return Shown(name, email)
