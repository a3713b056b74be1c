"""The runbook for parked streams does what it says, where a newer release wrote an event that this one can't read."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from typing import cast
from uuid import UUID

import pytest

from steerco.edition.mounting import parent_app
from steerco.edition.services import SERVICES
from steerco_events.clock import SystemClock
from steerco_events.commands.attempts import in_transaction
from steerco_events.contracts.risk import RiskClosed, RiskRaised
from steerco_events.envelope import Actor, Context
from steerco_events.ids import derived_id, new_id
from steerco_events.postgres.store import EventStore, Write
from steerco_events.registry import Registry, event
from steerco_servers.testing import TemporaryPostgres
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import TESTER, Served, serving
from tests.docs.test_documents import ROOT, examples, printed
from tests.editions.running import RunningEdition

RUNBOOK = ROOT / "docs" / "how-to" / "parked-streams.md"
RISK_ID = derived_id("risk", "that is parked")
NEWER = Registry("risk")


@event(NEWER, "risk-rated", version=2)
class RiskRated:
    """As a later release might have it."""

    risk_id: UUID
    likelihood: str


@dataclass(frozen=True)
class Edition:
    """How a client finds what runs in the test's own process."""

    environment: Mapping[str, str]


@pytest.fixture
async def edition(postgres: TemporaryPostgres) -> AsyncIterator[Edition]:
    async with serving(SERVICES, postgres) as served:
        await poison(served)
        async with listening(parent_app(served.apps)) as server:
            token = served.issuer.token(TESTER, SystemClock().now(), timedelta(hours=1))
            yield Edition({"STEERCO_URL": server.url, "STEERCO_TOKEN": token})


async def poison(served: Served) -> None:
    """A risk is raised, rated by a newer release, and closed."""
    stream = f"risk-{RISK_ID}"
    await served.append(
        "risk",
        stream,
        RiskRaised(
            risk_id=RISK_ID,
            project_id=RISK_ID,
            cause="The supplier is new",
            event="It delivers late",
            effect="The opening is late",
            category="supply",
            project_version=1,
        ),
    )
    runtime, command_id = served.runtime("risk"), new_id()
    context = Context(
        command_id, Actor(derived_id("person"), "Risk manager"), "tests", runtime.clock.now(), command_id, command_id
    )
    rated = Write(stream, 1, [RiskRated(risk_id=RISK_ID, likelihood="even")])
    newer = EventStore("risk", NEWER)
    await in_transaction(runtime.engine, lambda tx: newer.append(tx, [rated], context))
    async with runtime.engine.begin() as tx:
        closed = Write(stream, 2, [RiskClosed(risk_id=RISK_ID, project_id=RISK_ID)])
        after = Context(new_id(), TESTER.actor, "tests", runtime.clock.now(), command_id, command_id)
        await runtime.store.append(tx, [closed], after)
    runtime.signals.appended.notify()
    await served.settled()


async def test_the_runbook_is_what_happens(edition: Edition) -> None:
    shown = examples(RUNBOOK)
    commands = [example.command for example in shown]
    got = await asyncio.to_thread(printed, commands, cast(RunningEdition, edition))
    checker = OutputChecker()
    for example, output in zip(shown, got, strict=True):
        expected = "\n".join(example.expected).strip()
        matches = checker.check_output(f"{expected}\n", f"{output.strip()}\n", ELLIPSIS | NORMALIZE_WHITESPACE)
        assert matches, f"{RUNBOOK.name}:{example.line}: $ {example.command}\nexpected:\n{expected}\ngot:\n{output}"
