"""The row that a register has of a project: what it last said, so that only what it changes is taken over. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from steerco_events.contracts.portfolio import RegisterRowKept
from steerco_events.decider import Decider
from steerco_events.registry import Payload
from steerco_portfolio.domain.project import UnknownProject

type RegisterRow = RegisterRowKept | None
"""What is kept, if anything is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRegisterRow:
    """Keep what the row says; `is_known` whether there is such a project."""

    project_id: UUID
    is_known: bool
    source: str
    reference: str
    said: Mapping[str, str]


def decide(command: KeepRegisterRow, state: RegisterRow) -> Sequence[Payload]:
    """Of a project that there is; the same again says nothing new."""
    if not command.is_known:
        raise UnknownProject("no project has this id")
    kept = RegisterRowKept(
        project_id=command.project_id, source=command.source, reference=command.reference, said=dict(command.said)
    )
    return [] if kept == state else [kept]


def evolve(state: RegisterRow, event: Payload) -> RegisterRow:
    """The newest row is kept."""
    return event if isinstance(event, RegisterRowKept) else state


register_row_decider: Decider[RegisterRow, KeepRegisterRow] = Decider(None, evolve, decide)
