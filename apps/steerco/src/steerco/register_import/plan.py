"""What a register makes different from what is there, as commands. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from steerco.register_import.checking import refusal_of, registered_state, transitions_to
from steerco.register_import.entries import Entry, Found, Json, RowRefused
from steerco.register_import.organization import Units
from steerco.register_import.present import Present
from steerco.register_import.register_map import RegisterMap

REASON = "as the register says"

type Command = Mapping[str, Any]
"""A command of a batch: method, path, body, group."""

type Outcome = Literal["new", "changed", "completed", "unchanged"]
"""`completed`: an earlier run was cut off in the middle of the row."""


@dataclass(frozen=True, slots=True)
class Step:
    """An entry, and what it takes to make the edition agree with it. `differing` names the facts that do not yet."""

    entry: Entry
    outcome: Outcome
    portfolio: Sequence[Command]
    finance: Sequence[Command]
    differing: Sequence[str] = ()

    @property
    def changes(self) -> int:
        """How many commands that is."""
        return len(self.portfolio) + len(self.finance)


@dataclass(slots=True)
class Plan:
    """The steps of every row that is not refused."""

    steps: list[Step] = field(default_factory=list)
    refused: list[RowRefused] = field(default_factory=list)


type Memory = Mapping[str, Mapping[str, Json]]
"""What the last import said of each reference, fact by fact."""


def plan(found: Found, there: Present, units: Units, register: RegisterMap, memory: Memory) -> Plan:
    """Compare each fact with what the last import said, else with what is there."""
    planned = Plan(refused=list(found.refused))
    for entry in found.entries:
        differing = dict(_differing(entry, there, memory))
        refused = refusal_of(entry, differing, there, units, register)
        if refused:
            planned.refused.append(refused)
        else:
            planned.steps.append(_step(entry, differing, there, units, register, memory))
    planned.refused.sort(key=lambda each: each.row)
    return planned


def facts_of(entry: Entry) -> Mapping[str, Json]:
    """What the entry says, to be remembered."""
    return {name: fact.body for name, fact in entry.facts.items()}


def _differing(entry: Entry, there: Present, memory: Memory) -> Iterator[tuple[str, Json]]:
    project = there.projects.get(entry.project_id)
    present = project.facts if project else {}
    said = memory.get(entry.reference, {}) if project else {}
    for name, body in facts_of(entry).items():
        if body != said.get(name) and not _same(body, present.get(name)):
            yield name, body


def _same(body: Json, present: Json | None) -> bool:
    if present is None:
        return body.get("figure") == {} or body.keys() == {"assessor"}
    if "code" in body:
        return str(body["code"]).upper() == str(present["code"]).upper()
    return body == present


def _step(
    entry: Entry, differing: Mapping[str, Json], there: Present, units: Units, register: RegisterMap, memory: Memory
) -> Step:
    project = there.projects.get(entry.project_id)
    outcome: Outcome = "unchanged"
    portfolio: list[Command] = []
    if project is None:
        outcome = "new"
        portfolio.append(_registration(entry, units, register))
    elif differing:
        outcome = "changed" if entry.reference in memory else "completed"
    finance: list[Command] = []
    for name, body in differing.items():
        if "figure" in body:
            path = f"/projects/{entry.project_id}/{name.split()[1]}"
            finance.append(_command(entry, path, body, "PUT"))
        elif project or name.startswith("assessment "):
            portfolio += _project_commands(entry, name, body, project.state if project else "", units)
    return Step(entry, outcome, portfolio, finance, list(differing))


def _registration(entry: Entry, units: Units, register: RegisterMap) -> Command:
    dates = entry.facts.get("dates")
    body = {
        "project_id": str(entry.project_id),
        "code": entry.code,
        "title": entry.facts["title"].body["title"],
        "unit_id": str(_unit_id(entry.place.code, units)),
        "currency": register.currency,
        "source": register.source,
        "reference": entry.reference,
        "state": registered_state(entry, register),
    }
    return _command(entry, "/projects", body | (dict(dates.body) if dates else {}))


def _project_commands(entry: Entry, name: str, body: Json, present_state: str, units: Units) -> Iterator[Command]:
    path = f"/projects/{entry.project_id}"
    match name:
        case "title":
            yield _command(entry, f"{path}/title", body, "PUT")
        case "dates":
            yield _command(entry, f"{path}/dates", body, "PUT")
        case "unit":
            move = {"unit_id": str(_unit_id(body["code"], units)), "reason": REASON}
            yield _command(entry, f"{path}/move", move)
        case "state":
            for to in transitions_to(body["state"], present_state):
                yield _command(entry, f"{path}/transition", {"to": to, "reason": REASON})
        case _:
            yield _command(entry, f"{path}/assessments", body)


def _unit_id(code: str, units: Units) -> UUID:
    return units.ids[code.upper()]


def _command(entry: Entry, path: str, body: Json, method: str = "POST") -> Command:
    return {"method": method, "path": path, "body": body, "group": entry.reference, "reason": REASON}


def unit_commands(units: Units) -> Sequence[Command]:
    """The commands that open what is missing, parents first, one after the other."""
    return [
        {
            "path": "/units",
            "reason": REASON,
            "body": {
                "unit_id": str(unit.unit_id),
                "code": unit.code,
                "name": unit.name,
                "kind": unit.kind,
                "parent_id": str(unit.parent_id) if unit.parent_id else None,
            },
        }
        for unit in units.opened
    ]
