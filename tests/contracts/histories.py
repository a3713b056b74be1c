"""The logs of a small enterprise, made from the event contracts: any values, each stream from its beginning."""

import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cached_property
from random import Random
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin, get_type_hints
from uuid import UUID

from hypothesis import strategies as st

from steerco_events.contracts import finance, intake, portfolio, risk, training
from steerco_events.contracts.values import Figure, Money, StatedDate
from steerco_events.envelope import Recorded
from steerco_events.ids import derived_id
from steerco_events.registry import Payload, Registry
from steerco_events.testkit.recorded import log_of

REGISTRIES: Mapping[str, Registry] = {
    "intake": intake.INTAKE,
    "portfolio": portfolio.PORTFOLIO,
    "finance": finance.FINANCE,
    "risk": risk.RISK,
    "training": training.TRAINING,
}
TELLINGS = 5
"""In how many ways each event of a stream is told."""


@dataclass(frozen=True)
class Life:
    """What may happen in one stream: first, and then. The fields that `bound` names take these values only."""

    service: str
    stream: str
    first: Sequence[type[Any]]
    then: Sequence[type[Any]]
    bound: Mapping[str, Sequence[UUID]]

    @cached_property
    def beginnings(self) -> Sequence[Payload]:
        """Events with which the stream may begin."""
        return self._told(self.first)

    @cached_property
    def sequels(self) -> Sequence[Payload]:
        """Events that may follow."""
        return self._told(self.then)

    @property
    def payloads(self) -> Sequence[Payload]:
        """All of them."""
        return (*self.beginnings, *self.sequels)

    def _told(self, types: Sequence[type[Any]]) -> Sequence[Payload]:
        random = Random(self.stream)
        return [told(each, self.bound, random) for each in types for _ in range(TELLINGS)]


def ids(name: str) -> Sequence[UUID]:
    """The few identifiers that things of one sort have, so that events meet."""
    return [derived_id(name, n) for n in range(2)]


def types_of(service: str, fit: Callable[[set[str]], bool] = bool) -> Sequence[type[Any]]:
    """The event types of a service whose fields fit."""
    return [each.payload for each in REGISTRIES[service] if fit({field.name for field in fields(each.payload)})]


def lives() -> Iterable[Life]:
    """Every stream of the enterprise. A new event type joins the stream that its fields fit."""
    of_units = types_of("portfolio", lambda names: not names & {"project_id", "appointment_id"})
    of_appointments = types_of("portfolio", lambda names: "appointment_id" in names)
    apart = (portfolio.ProjectCodeTaken, portfolio.RegisterRowKept, *of_appointments)
    of_projects = [each for each in types_of("portfolio", lambda names: "project_id" in names) if each not in apart]
    begun = (portfolio.ProjectChartered, portfolio.ProjectRegistered)
    taken, kept = ([each] for each in apart[:2])
    of_budgets = types_of("finance", lambda names: "posting_id" not in names)
    of_postings = types_of("finance", lambda names: "posting_id" in names)
    yield Life("portfolio", "organization", (portfolio.UnitOpened,), of_units, {})
    for n, project in enumerate(ids("project")):
        yield Life("portfolio", f"project-{project}", begun, of_projects, {"project_id": [project]})
        yield Life("portfolio", f"project-code-P-{n}", taken, taken, {"project_id": [project]})
        yield Life("portfolio", f"register-row-{project}", kept, kept, {"project_id": [project]})
        yield Life("finance", f"budget-{project}", of_budgets, of_budgets, {"project_id": [project]})
    for one in ids("appointment"):
        made = (portfolio.AppointmentMade,)
        yield Life("portfolio", f"appointment-{one}", made, of_appointments, {"appointment_id": [one]})
    for posting in ids("posting"):
        yield Life("finance", f"posting-{posting}", (finance.ActualCostPosted,), of_postings, {"posting_id": [posting]})
    for pitch in ids("pitch"):
        yield Life("intake", f"pitch-{pitch}", (intake.PitchSubmitted,), types_of("intake"), {"pitch_id": [pitch]})
    for one in ids("risk"):
        yield Life("risk", f"risk-{one}", (risk.RiskRaised,), types_of("risk"), {"risk_id": [one]})
    for person in ids("person"):
        bound = {"person_id": [person], "obligation_id": ids(f"obligation {person}")}
        yield Life("training", f"learner-{person}", (training.ObligationRaised,), types_of("training"), bound)


def told(payload: type[Any], bound: Mapping[str, Sequence[UUID]], random: Random) -> Payload:
    """An event of a type, with some value in every field."""
    hints = get_type_hints(payload)
    return payload(
        **{
            name: random.choice(bound[name]) if name in bound else _value(hint, name, random)
            for name, hint in hints.items()
        }
    )


def _value(hint: Any, name: str, random: Random) -> Any:
    while isinstance(hint, TypeAliasType):
        hint = hint.__value__
    if get_origin(hint) in (Union, types.UnionType):
        return _value(random.choice(get_args(hint)), name, random)
    if get_origin(hint) is Literal:
        return random.choice(get_args(hint))
    if get_origin(hint) is dict:
        key, value = get_args(hint)
        return {_value(key, name, random): _value(value, name, random)}
    if hint is UUID:
        return random.choice(ids("unit" if "unit" in name or "parent" in name else name.removesuffix("_id")))
    return _VALUES[hint](random)


def _money(random: Random) -> Money:
    return Money.parse(str(random.randint(-3, 9)), random.choice(("EUR", "USD")))


def _day(random: Random) -> date:
    return date(2026, 3, random.randint(1, 4))


_VALUES: Mapping[Any, Callable[[Random], Any]] = {
    types.NoneType: lambda _: None,
    bool: lambda random: random.random() < 0.5,
    int: lambda random: random.randint(1, 5),
    str: lambda random: random.choice(("IPA", "SRO", "whole_life")),
    date: _day,
    Money: _money,
    Figure: lambda random: random.choice(
        (Figure.disclosed(_money(random)), Figure.undisclosed("Exempt"), Figure.not_stated())
    ),
    StatedDate: lambda random: random.choice((StatedDate.stated(_day(random)), StatedDate.not_stated())),
}

LIVES: Sequence[Life] = tuple(lives())


@st.composite
def histories(draw: st.DrawFn, services: Sequence[str]) -> Sequence[Recorded]:
    """The logs of these services, one after the other; any few events of a log are sealed together."""
    events: list[Recorded] = []
    for service in services:
        seals: list[list[tuple[str, Payload]]] = [[]]
        begun: set[str] = set()
        of_service = [life for life in LIVES if life.service == service]
        size = draw(st.integers(0, 3 * len(of_service)))
        for life in draw(st.lists(st.sampled_from(of_service), min_size=size, max_size=size)):
            if draw(st.booleans()):
                seals.append([])
            payload = draw(st.sampled_from(life.sequels if life.stream in begun else life.beginnings))
            seals[-1].append((life.stream, payload))
            begun.add(life.stream)
        events.extend(log_of(seals, service, REGISTRIES[service]))
    return events
