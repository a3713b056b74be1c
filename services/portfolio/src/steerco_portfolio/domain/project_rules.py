"""What may happen to a project, and what it makes of it. Pure."""

from collections.abc import Sequence
from typing import assert_never
from uuid import UUID

from steerco_events.contracts.portfolio import (
    DeliveryConfidenceAssessed,
    ProjectChartered,
    ProjectCharterRefused,
    ProjectCodeTaken,
    ProjectDatesStated,
    ProjectManagerAppointed,
    ProjectMoved,
    ProjectRegistered,
    ProjectRenamed,
)
from steerco_events.contracts.values import StatedDate
from steerco_events.decider import Decider, Reservation
from steerco_events.registry import Payload
from steerco_portfolio.domain.project import (
    AppointManager,
    AssessDeliveryConfidence,
    CharterProject,
    CharterRefused,
    CloseProject,
    Facts,
    KnownUnit,
    MoveProject,
    NoProject,
    NoSuchUnit,
    OnHold,
    Over,
    Project,
    ProjectAlreadyBegun,
    ProjectCodeInUse,
    ProjectCommand,
    ProjectOver,
    PutOnHold,
    RefuseCharter,
    RegisterProject,
    RenameProject,
    Resume,
    Running,
    StartClosing,
    StartExecution,
    StartPlanning,
    StateDates,
    Terminate,
    UnknownProject,
)
from steerco_portfolio.domain.project_history import evolve
from steerco_portfolio.domain.project_lifecycle import move_through


def decide(command: ProjectCommand, state: Project) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case CharterProject():
            return charter(command, state)
        case RefuseCharter():
            return refuse_charter(command, state)
        case RegisterProject():
            return register(command, state)
        case RenameProject():
            return rename(command, known(state))
        case StateDates():
            return state_dates(command, known(state))
        case AssessDeliveryConfidence():
            return assess(command, known(state))
        case AppointManager():
            return appoint_manager(command, state)
        case MoveProject():
            return move(command, state)
        case (
            StartPlanning() | StartExecution() | StartClosing() | CloseProject() | PutOnHold() | Resume() | Terminate()
        ):
            known(state)
            return move_through(command, state)
        case _:
            assert_never(command)


def known(state: Project) -> Facts:
    """What is known of a project that there is."""
    match state:
        case NoProject():
            raise UnknownProject("no project has this id")
        case CharterRefused(refused):
            raise UnknownProject(f"no project has this id; its charter was refused: {refused.detail}")
        case Running(facts) | OnHold(facts) | Over(facts):
            return facts
        case _:
            assert_never(state)


def goes_on(state: Project) -> None:
    """Refuse what can't be done to a project that is over."""
    if isinstance(state, Over):
        raise ProjectOver(f"the project {state.facts.begun.code} is {state.facts.state}")


def open_unit(unit: KnownUnit | None) -> KnownUnit:
    """The unit, if it is there and open."""
    if unit is None:
        raise NoSuchUnit("no unit has this id", pointer="/unit_id")
    if not unit.is_open:
        raise NoSuchUnit(f"the unit {unit.code} was closed", pointer="/unit_id")
    return unit


def charter(command: CharterProject, state: Project) -> Sequence[Payload]:
    """An approved pitch becomes a project of an open unit, once."""
    match state:
        case NoProject() | CharterRefused():
            return [
                ProjectChartered(
                    project_id=command.project_id,
                    code=command.code,
                    title=command.title,
                    unit_id=open_unit(command.unit).unit_id,
                    currency=command.currency,
                    pitch_id=command.pitch_id,
                )
            ]
        case _:
            return []


def refuse_charter(command: RefuseCharter, state: Project) -> Sequence[Payload]:
    """Recorded where the project would have been, once for each reason."""
    refused = ProjectCharterRefused(
        project_id=command.project_id,
        pitch_id=command.pitch_id,
        refusal=command.refusal,
        detail=command.detail,
    )
    match state:
        case CharterRefused(before) if before == refused:
            return []
        case NoProject() | CharterRefused():
            return [refused]
        case _:
            return []


def register(command: RegisterProject, state: Project) -> Sequence[Payload]:
    """Taken over into an open unit, with the dates as they were said."""
    match state:
        case NoProject() | CharterRefused():
            registered = _registered(command, open_unit(command.unit))
            dates = _dates_registered(command)
            return [registered, dates] if dates else [registered]
        case Running(facts) | OnHold(facts) | Over(facts):
            same = command.unit and facts.begun == _registered(command, command.unit)
            if same and _dates_registered(command) in (None, facts.first_dates):
                return []
            raise ProjectAlreadyBegun(f"this id is that of the project {facts.begun.code}", pointer="/project_id")
        case _:
            assert_never(state)


def _registered(command: RegisterProject, unit: KnownUnit) -> ProjectRegistered:
    return ProjectRegistered(
        project_id=command.project_id,
        code=command.code,
        title=command.title,
        unit_id=unit.unit_id,
        currency=command.currency,
        state=command.state,
        source=command.source,
        reference=command.reference,
    )


def _dates_registered(command: RegisterProject) -> ProjectDatesStated | None:
    stated = command.start.kind != "not_stated" or command.end.kind != "not_stated"
    return dates_stated(command, command.start, command.end) if stated else None


def rename(command: RenameProject, facts: Facts) -> Sequence[Payload]:
    """Also after its end: a title may be corrected."""
    if facts.title == command.title:
        return []
    return [ProjectRenamed(project_id=facts.project_id, title=command.title)]


def state_dates(command: StateDates, facts: Facts) -> Sequence[Payload]:
    """As said; dates that contradict each other are kept and flagged."""
    stated = dates_stated(command, command.start, command.end)
    before = facts.dates or dates_stated(command, StatedDate.not_stated(), StatedDate.not_stated())
    return [] if stated == before else [stated]


def dates_stated(command: StateDates | RegisterProject, start: StatedDate, end: StatedDate) -> ProjectDatesStated:
    """The dates, and whether the end comes before the start."""
    contradictory = start.on is not None and end.on is not None and end.on < start.on
    return ProjectDatesStated(project_id=command.project_id, start=start, end=end, contradictory=contradictory)


def assess(command: AssessDeliveryConfidence, facts: Facts) -> Sequence[Payload]:
    """By a named assessor; the same again says nothing new, nor does taking back what was never given."""
    assessed = DeliveryConfidenceAssessed(
        project_id=facts.project_id,
        assessor=command.assessor,
        rating=command.rating,
        said=command.said,
        assessed_on=command.assessed_on,
        evidence=command.evidence,
    )
    before = facts.assessments.get(command.assessor)
    was_never_given = command.rating == "not_rated" and (before is None or before.rating == "not_rated")
    return [] if was_never_given or before == assessed else [assessed]


def appoint_manager(command: AppointManager, state: Project) -> Sequence[Payload]:
    """One manager at a time, as long as the project goes on; the newest appointment holds."""
    facts = known(state)
    before = facts.manager
    if before and (before.person_id, before.job_title, before.from_on) == (
        command.person_id,
        command.job_title,
        command.from_on,
    ):
        return []
    goes_on(state)
    return [
        ProjectManagerAppointed(
            project_id=facts.project_id,
            person_id=command.person_id,
            job_title=command.job_title,
            unit_id=facts.unit_id,
            from_on=command.from_on,
        )
    ]


def move(command: MoveProject, state: Project) -> Sequence[Payload]:
    """To another open unit."""
    facts = known(state)
    if command.unit and command.unit.unit_id == facts.unit_id:
        return []
    goes_on(state)
    unit = open_unit(command.unit)
    return [ProjectMoved(project_id=facts.project_id, from_unit_id=facts.unit_id, to_unit_id=unit.unit_id)]


def reserve(event: Payload) -> Reservation | None:
    """A project's code is its own in the whole enterprise."""
    match event:
        case ProjectChartered(code=code) | ProjectRegistered(code=code):
            taken = ProjectCodeTaken(code=code, project_id=event.project_id)
            refusal = ProjectCodeInUse(f"another project has the code {code!r}", pointer="/code")
            return Reservation(f"project-code-{code.upper()}", taken, refusal)
        case _:
            return None


def concerns(state: Project) -> Sequence[UUID]:
    """The unit that has the project."""
    match state:
        case NoProject() | CharterRefused():
            return ()
        case Running(facts) | OnHold(facts) | Over(facts):
            return (facts.unit_id,)
        case _:
            assert_never(state)


project_decider: Decider[Project, ProjectCommand] = Decider(NoProject(), evolve, decide, reserve, concerns)
