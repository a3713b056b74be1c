"""Showing who people are: their names and addresses, read with their keys for one answer and kept nowhere."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, or_, select

from steerco_service.privacy.encryption import Undecipherable, decrypted
from steerco_service.privacy.keys import Keys, KeysUnavailable
from steerco_service.reading import Reading
from steerco_service.reference.people import PersonRow, people

NAME, EMAIL = "name", "email"

type Withheld = Literal["not permitted", "erased", "unavailable"]
"""Why it is not shown who somebody is: who asks may not see it, nobody can any more, or not just now."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a person, or why it is not."""

    name: str | None = None
    email: str | None = None
    withheld: Withheld | None = None


async def who_are(reading: Reading, rows: Collection[PersonRow]) -> Mapping[UUID, Shown]:
    """What to show whoever asks of people, as it was known at whatever instant: not of whom is erased by now."""
    table = reading.table(people.name)
    keys = [str(row.person_id) for row in rows]
    is_seen = is_there(reading.seeing("personal"), table).label("is_seen")
    query = select(table.c.person_id, table.c.is_erased, is_seen).where(reading.known_at(table), table.c.key.in_(keys))
    now = {row.person_id: row for row in await reading.connection.execute(query)}
    gone = [replace(row, is_erased=True) if now[row.person_id].is_erased else row for row in rows]
    return await shown(reading.runtime.keys, [(row, now[row.person_id].is_seen) for row in gone])


def is_there(reading: Reading, table: FromClause) -> ColumnElement[bool]:
    """The condition for people of a unit in the caller's scope, with a role or project in it, and who asks."""
    return or_(reading.in_units(table.c.unit_id), reading.in_people(table.c.person_id))


async def known_people(reading: Reading, person_ids: Collection[UUID]) -> Mapping[UUID, Shown]:
    """What to show of those of these people who have a record."""
    table = reading.table(people.name)
    keys = [str(person_id) for person_id in person_ids]
    query = select(table).where(reading.known_at(table), table.c.key.in_(keys))
    return await who_are(reading, await reading.rows(people, query))


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
