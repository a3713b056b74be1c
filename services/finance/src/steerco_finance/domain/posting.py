"""A posting: one actual cost, once per document, reversed if it was wrong. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import assert_never
from uuid import UUID

from steerco_events.contracts.finance import ActualCostPosted, ActualCostReversed
from steerco_events.contracts.values import Money
from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload
from steerco_finance.domain.project import KnownProject, NegativeCost, NoSuchProject, in_its_currency

# Situations


@dataclass(frozen=True, slots=True)
class NoPosting:
    """Nothing was posted for this document."""


@dataclass(frozen=True, slots=True)
class Posted:
    """It counts."""

    posting: ActualCostPosted


@dataclass(frozen=True, slots=True)
class Reversed:
    """It counted until it was reversed."""

    posting: ActualCostPosted


type Posting = NoPosting | Posted | Reversed

# Commands


@dataclass(frozen=True, slots=True, kw_only=True)
class PostActualCost:
    """Post what a document says was spent."""

    posting_id: UUID
    project: KnownProject | None
    source: str
    reference: str
    cost: Money
    incurred_on: date
    period: str
    today: date


@dataclass(frozen=True, slots=True)
class ReverseActualCost:
    """Let it count no more."""

    posting_id: UUID


type PostingCommand = PostActualCost | ReverseActualCost

# Refusals


class UnknownPosting(Refusal):
    """No posting has this id."""

    kind = "unknown"


class CostNotIncurredYet(Refusal):
    """An actual cost was incurred today or before."""

    kind = "invalid"


class PeriodNotAFiscalYear(Refusal):
    """An actual cost belongs to a fiscal year."""

    kind = "invalid"


class DocumentAlreadyPosted(Refusal):
    """The document of this source and reference was posted with other content."""


# Decisions


def decide(command: PostingCommand, state: Posting) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case PostActualCost():
            return post(command, state)
        case ReverseActualCost():
            return reverse(command, state)
        case _:
            assert_never(command)


def post(command: PostActualCost, state: Posting) -> Sequence[Payload]:
    """One document, one posting."""
    project = command.project
    if project is None:
        raise NoSuchProject("no project has this id", pointer="/project_id")
    posted = ActualCostPosted(
        posting_id=command.posting_id,
        project_id=project.project_id,
        source=command.source,
        reference=command.reference,
        cost=command.cost,
        incurred_on=command.incurred_on,
        period=command.period,
        project_version=project.project_version,
    )
    match state:
        case NoPosting():
            check(command, project)
            return [posted]
        case Posted(before) | Reversed(before):
            other = differences(before, posted)
            if not other:
                return []
            raise DocumentAlreadyPosted(
                f"{command.source} {command.reference} was posted with another {', '.join(other)};"
                " reverse it and post a correcting document",
                pointer="/reference",
            )
        case _:
            assert_never(state)


def check(command: PostActualCost, project: KnownProject) -> None:
    """In the project's currency, not negative, not of the future, in a fiscal year."""
    in_its_currency(command.cost, project, "/cost/currency")
    if command.cost.amount < 0:
        raise NegativeCost(f"a cost is not negative, {command.cost.amount} is", pointer="/cost/amount")
    if command.incurred_on > command.today:
        raise CostNotIncurredYet(f"{command.incurred_on} is after today, {command.today}", pointer="/incurred_on")
    if not command.period.startswith("fiscal_year "):
        raise PeriodNotAFiscalYear(
            f"the period of an actual cost is a fiscal year, not {command.period}", pointer="/period"
        )


def differences(before: ActualCostPosted, now: ActualCostPosted) -> Sequence[str]:
    """The names of what differs, but for the version of the project that was read."""
    return [
        name.replace("_id", "").replace("_", " ")
        for name in ("project_id", "cost", "incurred_on", "period")
        if getattr(before, name) != getattr(now, name)
    ]


def reverse(command: ReverseActualCost, state: Posting) -> Sequence[Payload]:
    """Once."""
    match state:
        case NoPosting():
            raise UnknownPosting("no posting has this id")
        case Posted(posting):
            return [ActualCostReversed(posting_id=command.posting_id, project_id=posting.project_id)]
        case Reversed():
            return []
        case _:
            assert_never(state)


def evolve(state: Posting, event: Payload) -> Posting:
    """The situation after an event."""
    match event, state:
        case ActualCostPosted(), _:
            return Posted(event)
        case ActualCostReversed(), Posted(posting):
            return Reversed(posting)
        case _:
            return state


posting_decider: Decider[Posting, PostingCommand] = Decider(NoPosting(), evolve, decide)
