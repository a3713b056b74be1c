"""A pitch: the situations it can be in, what can be done with it, and what is refused. Pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from steerco_events.contracts.intake import PitchSubmitted
from steerco_events.contracts.values import Money
from steerco_events.decider import Refusal
from steerco_events.registry import Payload

# Situations


@dataclass(frozen=True, slots=True)
class NoPitch:
    """Nothing was submitted under this id."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """Waits to be screened."""

    content: PitchSubmitted


@dataclass(frozen=True, slots=True)
class Screened:
    """Waits for a decision."""

    content: PitchSubmitted


@dataclass(frozen=True, slots=True)
class Deferred:
    """Waits for a day, then for a decision."""

    content: PitchSubmitted
    until_on: date


@dataclass(frozen=True, slots=True)
class Returned:
    """Waits to be mended and submitted again."""

    content: PitchSubmitted


@dataclass(frozen=True, slots=True)
class Ended:
    """Approved, rejected or withdrawn: `by` is the event that ended it."""

    content: PitchSubmitted
    by: Payload


type Pitch = NoPitch | Submitted | Screened | Deferred | Returned | Ended

# Commands


@dataclass(frozen=True, slots=True)
class KnownUnit:
    """An org unit as intake knows it, and the version of the organization it was read from."""

    unit_id: UUID
    is_open: bool
    organization_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a pitch says; `unit` is `None` when intake knows no such unit."""

    pitch_id: UUID
    title: str
    unit: KnownUnit | None
    project_code: str
    currency: str
    template: str
    template_version: int
    fields: dict[str, str]
    estimated_cost: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitPitch(Submission):
    """Hand in a new pitch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResubmitPitch(Submission):
    """Hand in again a pitch that was returned."""


@dataclass(frozen=True, slots=True)
class ScreenPitch:
    """Find the pitch fit to be decided."""

    pitch_id: UUID
    note: str


@dataclass(frozen=True, slots=True)
class ApprovePitch:
    """Let it become a project."""

    pitch_id: UUID


@dataclass(frozen=True, slots=True)
class RejectPitch:
    """Say no for good."""

    pitch_id: UUID


@dataclass(frozen=True, slots=True)
class DeferPitch:
    """Put the decision off until a day after today."""

    pitch_id: UUID
    until_on: date
    today: date


@dataclass(frozen=True, slots=True)
class ReturnPitch:
    """Send it back to be mended."""

    pitch_id: UUID


@dataclass(frozen=True, slots=True)
class ReturnUnchartered:
    """Send back one that was approved and could not become a project."""

    pitch_id: UUID


@dataclass(frozen=True, slots=True)
class WithdrawPitch:
    """Take it back."""

    pitch_id: UUID


type PitchCommand = (
    SubmitPitch
    | ResubmitPitch
    | ScreenPitch
    | ApprovePitch
    | RejectPitch
    | DeferPitch
    | ReturnPitch
    | ReturnUnchartered
    | WithdrawPitch
)

# Refusals


class UnknownPitch(Refusal):
    """No pitch has this id."""

    kind = "unknown"


class UnknownUnit(Refusal):
    """No open unit has this id."""

    kind = "invalid"


class EstimateInAnotherCurrency(Refusal):
    """The estimate is not in the project's currency."""

    kind = "invalid"


class NegativeEstimate(Refusal):
    """A cost is not negative."""

    kind = "invalid"


class DateNotAhead(Refusal):
    """A deferral ends after today."""

    kind = "invalid"


class PitchAlreadySubmitted(Refusal):
    """The id is that of a pitch that says something else."""


class PitchInAnotherState(Refusal):
    """The pitch is not in a state in which this can be done."""
