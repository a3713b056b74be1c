"""A risk: raised, rated, closed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never
from uuid import UUID

from steerco_events.contracts.risk import RiskClosed, RiskRaised, RiskRated
from steerco_events.decider import Decider, Refusal
from steerco_events.registry import Payload
from steerco_risk.domain.matrix import MATRIX

# Situations


@dataclass(frozen=True, slots=True)
class NoRisk:
    """Nothing was raised under this id."""


@dataclass(frozen=True, slots=True)
class Open:
    """It may occur; `rated` is its newest rating, `rated_first` its first."""

    raised: RiskRaised
    rated: RiskRated | None = None
    rated_first: RiskRated | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """It is followed no more."""

    raised: RiskRaised
    rated_first: RiskRated | None


type Risk = NoRisk | Open | Closed

# Commands


@dataclass(frozen=True, slots=True)
class KnownProject:
    """A project as risk knows it, and the version that was read."""

    project_id: UUID
    project_version: int


@dataclass(frozen=True, slots=True)
class Rating:
    """Probability and impact, 1 to 5 each."""

    probability: int
    impact: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseRisk:
    """Say what may occur, because of what, with which effect; and rate it, if that is known."""

    risk_id: UUID
    project: KnownProject | None
    cause: str
    event: str
    effect: str
    category: str
    rating: Rating | None


@dataclass(frozen=True, slots=True)
class RateRisk:
    """Say how probable it is and how much it would matter."""

    risk_id: UUID
    rating: Rating


@dataclass(frozen=True, slots=True)
class CloseRisk:
    """Follow it no more."""

    risk_id: UUID


type RiskCommand = RaiseRisk | RateRisk | CloseRisk

# Refusals


class UnknownRisk(Refusal):
    """No risk has this id."""

    kind = "unknown"


class NoSuchProject(Refusal):
    """No project has the id that was given, as far as risk has heard."""

    kind = "invalid"


class RiskAlreadyRaised(Refusal):
    """The id is that of a risk that was raised otherwise."""


class RiskIsClosed(Refusal):
    """A closed risk is not rated; one that comes back is raised anew."""


# Decisions


def decide(command: RiskCommand, state: Risk) -> Sequence[Payload]:
    """The events that a command leads to, or a refusal."""
    match command:
        case RaiseRisk():
            return raise_risk(command, state)
        case RateRisk():
            return rate(command, state)
        case CloseRisk():
            return close(command, state)
        case _:
            assert_never(command)


def raise_risk(command: RaiseRisk, state: Risk) -> Sequence[Payload]:
    """Of a known project; rated at once, if a rating comes with it."""
    if command.project is None:
        raise NoSuchProject("no project has this id", pointer="/project_id")
    raised = RiskRaised(
        risk_id=command.risk_id,
        project_id=command.project.project_id,
        cause=command.cause,
        event=command.event,
        effect=command.effect,
        category=command.category,
        project_version=command.project.project_version,
    )
    match state:
        case NoRisk():
            return [raised, *rated(command.rating, Open(raised))] if command.rating else [raised]
        case Open(raised=before, rated_first=first) | Closed(raised=before, rated_first=first):
            same = replace(before, project_version=raised.project_version) == raised
            if same and (command.rating is None or command.rating == rating_of(first)):
                return []
            raise RiskAlreadyRaised("this id is that of another risk", pointer="/risk_id")
        case _:
            assert_never(state)


def rating_of(rated: RiskRated | None) -> Rating | None:
    """The rating that an event tells."""
    return Rating(rated.probability, rated.impact) if rated else None


def rate(command: RateRisk, state: Risk) -> Sequence[Payload]:
    """While it is open; the same rating says nothing new."""
    match state:
        case NoRisk():
            raise UnknownRisk("no risk has this id")
        case Open():
            return rated(command.rating, state)
        case Closed():
            raise RiskIsClosed("the risk was closed; raise it anew if it came back")
        case _:
            assert_never(state)


def rated(rating: Rating, state: Open) -> Sequence[Payload]:
    """The rating with the band that the matrix in force gives it."""
    now = RiskRated(
        risk_id=state.raised.risk_id,
        project_id=state.raised.project_id,
        probability=rating.probability,
        impact=rating.impact,
        band=MATRIX.band(rating.probability, rating.impact),
        matrix_version=MATRIX.version,
    )
    return [] if state.rated == now else [now]


def close(command: CloseRisk, state: Risk) -> Sequence[Payload]:
    """Once."""
    match state:
        case NoRisk():
            raise UnknownRisk("no risk has this id")
        case Open(raised):
            return [RiskClosed(risk_id=command.risk_id, project_id=raised.project_id)]
        case Closed():
            return []
        case _:
            assert_never(state)


def evolve(state: Risk, event: Payload) -> Risk:
    """The situation after an event."""
    match event, state:
        case RiskRaised(), _:
            return Open(event)
        case RiskRated(), Open(raised, _, first):
            return Open(raised, event, first or event)
        case RiskClosed(), Open(raised, _, first):
            return Closed(raised, first)
        case _:
            return state


risk_decider: Decider[Risk, RiskCommand] = Decider(NoRisk(), evolve, decide)
