"""What the events of a project make of it, from its charter or registration on. Pure."""

from dataclasses import replace
from typing import assert_never

from steerco_events.contracts.portfolio import (
    DeliveryConfidenceAssessed,
    ProjectChartered,
    ProjectCharterRefused,
    ProjectDatesStated,
    ProjectManagerAppointed,
    ProjectMoved,
    ProjectRegistered,
    ProjectRenamed,
)
from steerco_events.registry import Payload
from steerco_portfolio.domain.project import CharterRefused, Facts, NoProject, OnHold, Over, Project, Running
from steerco_portfolio.domain.project_lifecycle import evolve_state


def evolve(state: Project, event: Payload) -> Project:
    """The situation after an event."""
    match state:
        case NoProject() | CharterRefused():
            return _begun(state, event)
        case Running(facts) | OnHold(facts) | Over(facts):
            return evolve_state(replace(state, facts=_told(facts, event)), event)
        case _:
            assert_never(state)


def _begun(state: NoProject | CharterRefused, event: Payload) -> Project:
    match event:
        case ProjectCharterRefused():
            return CharterRefused(event)
        case ProjectChartered():
            return Running(Facts(event.project_id, event, event.title, event.unit_id, "chartered"))
        case ProjectRegistered(state="closed" | "terminated"):
            return Over(Facts(event.project_id, event, event.title, event.unit_id, event.state))
        case ProjectRegistered(state="on_hold"):
            return OnHold(Facts(event.project_id, event, event.title, event.unit_id, event.state), "executing")
        case ProjectRegistered():
            return Running(Facts(event.project_id, event, event.title, event.unit_id, event.state))
        case _:
            return state


def _told(facts: Facts, event: Payload) -> Facts:
    match event:
        case ProjectRenamed(title=title):
            return replace(facts, title=title)
        case ProjectDatesStated():
            return replace(facts, first_dates=facts.first_dates or event, dates=event)
        case DeliveryConfidenceAssessed(assessor=assessor):
            return replace(facts, assessments={**facts.assessments, assessor: event})
        case ProjectManagerAppointed():
            return replace(facts, manager=event)
        case ProjectMoved(to_unit_id=unit_id):
            return replace(facts, unit_id=unit_id)
        case _:
            return facts
