"""Pitch templates: which fields a pitch has, which are required, and what is said when one is missing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from steerco_events.decider import Refusal

_LONGEST = {"line": 200, "text": 10_000, "date": 10, "number": 30}


class FieldRefused(Refusal):
    """A field of the template is missing, unknown or not of its type."""

    kind = "invalid"


class UnknownTemplate(Refusal):
    """There is no template of that name and version."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a template; `message` is what the user reads when it is required and missing."""

    name: str
    label: str
    kind: Literal["line", "text", "date", "number"]
    required: bool
    message: str


@dataclass(frozen=True, slots=True)
class Template:
    """A published version of a pitch template."""

    name: str
    version: int
    title: str
    fields: tuple[Field, ...]

    def check(self, filled: Mapping[str, str]) -> None:
        """Raise `FieldRefused` for the first field that breaks a rule."""
        known = {field.name for field in self.fields}
        for name in filled:
            if name not in known:
                raise FieldRefused(
                    f"template {self.name} version {self.version} has no field {name!r};"
                    f" it has {', '.join(sorted(known))}",
                    pointer=_pointer(name),
                )
        for field in self.fields:
            self._check_field(field, filled.get(field.name, "").strip())

    @staticmethod
    def _check_field(field: Field, value: str) -> None:
        pointer = _pointer(field.name)
        if not value:
            if field.required:
                raise FieldRefused(field.message, pointer=pointer)
            return
        if len(value) > _LONGEST[field.kind]:
            raise FieldRefused(
                f"{field.label} has {len(value)} characters; the limit is {_LONGEST[field.kind]}",
                pointer=pointer,
            )
        if field.kind == "line" and len(value.splitlines()) > 1:
            raise FieldRefused(f"{field.label} is one line", pointer=pointer)
        if field.kind == "date" and not _is_date(value):
            raise FieldRefused(f"{field.label} is a date such as 2026-03-31, not {value!r}", pointer=pointer)
        if field.kind == "number" and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value, re.ASCII):
            raise FieldRefused(f"{field.label} is a number such as 12.5, not {value!r}", pointer=pointer)


def _pointer(name: str) -> str:
    return "/fields/" + name.replace("~", "~0").replace("/", "~1")


def _is_date(value: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value, re.ASCII):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


PROJECT_PITCH = Template(
    name="project-pitch",
    version=1,
    title="Project pitch",
    fields=(
        Field("problem", "Problem", "text", True, "Say which problem or opportunity the project answers."),
        Field("outcome", "Outcome", "text", True, "Say what will be different when the project is done."),
        Field("sponsor", "Sponsor", "line", True, "Name the job title of the sponsor."),
        Field("approach", "Approach", "text", False, ""),
        Field("start_on", "Earliest start", "date", False, ""),
        Field("end_on", "Wanted end", "date", False, ""),
    ),
)

TEMPLATES: tuple[Template, ...] = (PROJECT_PITCH,)


def template_named(name: str, version: int) -> Template:
    """The published template of that name and version. Raises `UnknownTemplate`."""
    for template in TEMPLATES:
        if (template.name, template.version) == (name, version):
            return template
    known = ", ".join(f"{each.name} version {each.version}" for each in TEMPLATES)
    pointer = "/template_version" if any(each.name == name for each in TEMPLATES) else "/template"
    raise UnknownTemplate(f"there is no template {name!r} version {version}; there is {known}", pointer=pointer)
