"""The units that a register needs: those that are there, and those to open. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from pydantic import TypeAdapter

from steerco.client import CommandFailed
from steerco.commands.said import words
from steerco.register_import.entries import Entry, Json
from steerco.register_import.register_map import FILE_REFUSED, RegisterMap
from steerco_events.contracts.portfolio import UnitClosed, UnitKind, UnitOpened
from steerco_events.decider import Refusal
from steerco_events.ids import derived_id
from steerco_events.registry import Payload
from steerco_portfolio.domain.organization import OpenUnit, Organization
from steerco_portfolio.domain.organization_rules import organization_decider
from steerco_portfolio.domain.placement import unit_for_delivery
from steerco_portfolio.domain.project import KnownUnit


@dataclass(slots=True)
class Units:
    """The organization as it will be; what to open for it, in order; and the codes that could not be had, with why."""

    organization: Organization
    ids: dict[str, UUID]
    opened: list[OpenUnit] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def known(self, code: str) -> KnownUnit | None:
        """The unit of a code, in any case."""
        unit_id = self.ids.get(code.upper())
        return unit_for_delivery(self.organization, unit_id) if unit_id else None


def units_for(entries: Sequence[Entry], there: Sequence[Json], register: RegisterMap) -> Units:
    """What the entries need. Raises `CommandFailed` when the root is another enterprise."""
    _same_root(there, register)
    organization = organization_decider.fold(_opened(there))
    units = Units(organization, {unit["code"].upper(): UUID(unit["unit_id"]) for unit in there})
    root = _have(units, register, register.enterprise.code, register.enterprise.name, "enterprise", None)
    for entry in entries:
        parent = root
        for (code, name), kind in zip(entry.place.units, _KINDS, strict=False):
            if parent is None:
                units.refused.setdefault(code, units.refused.get(entry.place.units[0][0], "the unit above is refused"))
            else:
                parent = _have(units, register, code, name, kind, parent)
    return units


def needed(units: Units, entries: Iterable[Entry]) -> Units:
    """The same units, of which only those are to be opened that lead to the places of these entries."""
    on_the_way: set[UUID] = set()
    for entry in entries:
        unit_id = units.ids.get(entry.place.code.upper())
        while unit_id and unit_id not in on_the_way:
            on_the_way.add(unit_id)
            unit_id = units.organization.units[unit_id].parent_id
    return replace(units, opened=[unit for unit in units.opened if unit.unit_id in on_the_way])


_KINDS: Sequence[UnitKind] = ("business_unit", "department")
_KIND: TypeAdapter[UnitKind] = TypeAdapter(UnitKind)


def _same_root(there: Sequence[Json], register: RegisterMap) -> None:
    wanted = register.enterprise
    for unit in there:
        if unit["kind"] == "enterprise" and unit["code"].upper() != wanted.code.upper():
            raise CommandFailed(
                f"this edition is that of {unit['code']} ({unit['name']}), the register is that of {wanted.code}"
                f" ({wanted.name}); start one of its own, then import again:"
                " steerco up --empty --data-dir DIR --port 8081",
                FILE_REFUSED,
            )


def _have(
    units: Units, register: RegisterMap, code: str, name: str, kind: UnitKind, parent_id: UUID | None
) -> UUID | None:
    found = units.ids.get(code.upper())
    if found:
        there = units.organization.units[found]
        if there.kind == kind:
            return found
        units.refused[code] = f"the code {code} is that of the {words(there.kind)} {there.name}, not of a {words(kind)}"
        return None
    command = OpenUnit(
        unit_id=derived_id(register.source, "unit", code.upper()), code=code, name=name, kind=kind, parent_id=parent_id
    )
    try:
        events = organization_decider.decide(command, units.organization)
    except Refusal as refusal:
        units.refused[code] = refusal.detail
        return None
    units.organization = organization_decider.fold(events, units.organization)
    units.ids[code.upper()] = command.unit_id
    units.opened.append(command)
    return command.unit_id


def _opened(there: Sequence[Json]) -> Iterator[Payload]:
    """The events that make an organization like the one that is there, parents before their children."""
    by_parent: dict[str | None, list[Mapping[str, str]]] = {}
    for unit in there:
        by_parent.setdefault(unit["parent_id"], []).append(dict(unit))
    following = list(by_parent.get(None, ()))
    while following:
        unit = following.pop()
        following += by_parent.get(unit["unit_id"], ())
        parent_id = UUID(unit["parent_id"]) if unit["parent_id"] else None
        yield UnitOpened(
            unit_id=UUID(unit["unit_id"]),
            code=unit["code"],
            name=unit["name"],
            kind=_KIND.validate_python(unit["kind"]),
            parent_id=parent_id,
        )
        if not unit["is_open"]:
            yield UnitClosed(unit_id=UUID(unit["unit_id"]))
