"""The service starts, maybe after a restore: whoever was erased stays so, in the log and among the keys."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.commands.attempts import in_transaction
from steerco_events.commands.handling import Handled, handle
from steerco_events.contracts.portfolio import PORTFOLIO, PersonErased
from steerco_events.envelope import Actor, Context
from steerco_events.ids import derived_id
from steerco_portfolio.domain.person import ErasePerson, UnknownPerson, person_decider
from steerco_service.runtime import Runtime

STARTED = Actor(derived_id("restore"), "restore")
"""Who a restored start is in the log."""

_ERASED = text("SELECT stream FROM log.events WHERE stream > 'person-' AND stream < 'person.' AND type = :type")


async def apply_erasures_on_start(runtime: Runtime) -> None:
    """Forget the keys of all whom the log has erased; erase in the log whose key was forgotten.

    The one is there again when the keys' database was restored, the other is gone when the log was.
    """
    if runtime.key_database is None:
        return
    erased = {"type": next(each.name for each in PORTFOLIO if each.payload is PersonErased)}
    async with runtime.engine.connect() as connection:
        in_log = {UUID(row.stream.removeprefix("person-")) for row in await connection.execute(_ERASED, erased)}
    forgotten = set(await runtime.key_database.erased())
    if in_log:
        await runtime.key_database.forget(in_log, runtime.clock.now())
    for person_id in forgotten - in_log:
        await _erase_again(runtime, person_id)


async def _erase_again(runtime: Runtime, person_id: UUID) -> None:
    command_id = derived_id(person_id, "erased again")
    context = Context(
        command_id=command_id,
        actor=STARTED,
        client="steerco-start",
        recorded_at=runtime.clock.now(),
        correlation_id=command_id,
        causation_id=command_id,
        reason="Erased before the log was restored",
    )

    async def erase(tx: AsyncConnection) -> Handled:
        stream = f"person-{person_id}"
        return await handle(tx, runtime.store, person_decider, stream, ErasePerson(person_id), context)

    try:
        await in_transaction(runtime.engine, erase)
    except UnknownPerson:
        return  # the log was restored to before they were registered
    runtime.signals.appended.notify()
