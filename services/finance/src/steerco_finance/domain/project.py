"""What finance knows of the project that a command names. Pure."""

from dataclasses import dataclass
from uuid import UUID

from steerco_events.contracts.values import Money
from steerco_events.decider import Refusal


@dataclass(frozen=True, slots=True)
class KnownProject:
    """A project, its one currency, and the version of it that was read."""

    project_id: UUID
    code: str
    currency: str
    state: str
    project_version: int

    @property
    def is_over(self) -> bool:
        """Closed or terminated."""
        return self.state in ("closed", "terminated")


class UnknownProject(Refusal):
    """No project has this id, as far as finance has heard."""

    kind = "unknown"


class NoSuchProject(Refusal):
    """No project has the id that was given, as far as finance has heard."""

    kind = "invalid"


class AnotherCurrency(Refusal):
    """A project has one currency."""

    kind = "invalid"


class NegativeCost(Refusal):
    """A cost is not negative; what was posted wrongly is reversed."""

    kind = "invalid"


def known_project(project: KnownProject | None) -> KnownProject:
    """The project, if finance knows it."""
    if project is None:
        raise UnknownProject("no project has this id")
    return project


def in_its_currency(money: Money, project: KnownProject, pointer: str) -> None:
    """Refuse an amount in another currency than the project's."""
    if money.currency != project.currency:
        raise AnotherCurrency(
            f"the project {project.code} is in {project.currency}, the amount in {money.currency}", pointer=pointer
        )
