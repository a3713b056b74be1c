"""Groups of an identity provider as roles: whoever is in one has the role, without an appointment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from steerco_events.contracts.portfolio import Role
from steerco_service.access.permissions import ROLES


@dataclass(frozen=True, slots=True)
class GroupRole:
    """A role at the unit of a code; without one, in the whole enterprise."""

    role: Role
    unit_code: str | None = None


def group_roles(said: str) -> Mapping[str, Sequence[GroupRole]]:
    """`pmo-staff=pmo_officer@SUP, auditors=auditor` as roles by group. Raises `ValueError` that names the part.

    A group that is a path may begin with a slash, as in tokens, or not.
    """
    found: dict[str, list[GroupRole]] = {}
    for part in filter(None, map(str.strip, said.split(","))):
        said_group, is_said, granted = part.rpartition("=")
        group = said_group.strip().removeprefix("/")
        name, _, code = granted.strip().partition("@")
        role = next((each for each in ROLES if each == name.strip()), None)
        if not is_said or not group or role is None or granted.strip().endswith("@"):
            raise ValueError(f"{part!r} is not GROUP=ROLE or GROUP=ROLE@UNIT, with one of the roles {sorted(ROLES)}")
        found.setdefault(group, []).append(GroupRole(role, code.strip() or None))
    return found
