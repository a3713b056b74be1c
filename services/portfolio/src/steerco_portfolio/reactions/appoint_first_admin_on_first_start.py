"""The service starts for the first time: appoint the one who is named as the first to administer the enterprise."""

from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.attempts import in_transaction
from steerco_events.commands.handling import Handled, handle
from steerco_events.envelope import Actor, Context
from steerco_events.ids import derived_id
from steerco_portfolio.domain.appointment import AppointmentAlreadyMade, MakeAppointment, Term
from steerco_portfolio.domain.appointment_rules import appointment_decider
from steerco_portfolio.domain.organization import ORGANIZATION
from steerco_portfolio.domain.organization_rules import organization_decider
from steerco_portfolio.domain.placement import units_concerned
from steerco_service.runtime import Runtime

FIRST = derived_id("first admin")
"""The appointment's id: there is one, whoever is named later."""

STARTED = Actor(derived_id("first start"), "first start")
"""Who the first start is in the log."""


async def appoint_first_admin_on_first_start(runtime: Runtime) -> None:
    """Append the appointment, if somebody is named and nobody was before."""
    if runtime.first_admin is None:
        return
    now = runtime.clock.now()
    command = MakeAppointment(
        appointment_id=FIRST, person_id=runtime.first_admin, role="pmo_admin", term=Term(now.date())
    )
    command_id = derived_id(FIRST, "made")
    context = Context(
        command_id=command_id,
        actor=STARTED,
        client="steerco-start",
        recorded_at=now,
        correlation_id=command_id,
        causation_id=command_id,
        reason="Named as the first admin by the settings",
    )

    async def appoint(tx: AsyncConnection) -> Handled:
        organization = organization_decider.fold((await runtime.store.read_stream(tx, ORGANIZATION)).payloads)
        concerning = context.concerning(*units_concerned(organization, None, None))
        return await handle(tx, runtime.store, appointment_decider, f"appointment-{FIRST}", command, concerning)

    with suppress(AppointmentAlreadyMade):
        await in_transaction(runtime.engine, appoint)
        runtime.signals.appended.notify()
