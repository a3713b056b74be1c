"""Generations of positions: one begins where the database was restored or failed over, since positions are drawn again.

The server's identity and timeline tell that it is another; a head that was signed and kept outside of the database
tells that it has not what it once had. Whoever read further than where a generation began learns it from that.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco_events.positions import SignedHead

TIMELINE = "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer"
"""The timeline that is written to; `pg_control_checkpoint()` knows it only from the next checkpoint on."""

_IS_OF_THIS_SERVER = (
    f"(system_identifier, timeline_id) = (SELECT system_identifier, {TIMELINE} FROM pg_control_system())"
)
PRESENT = (
    f"(SELECT generation + CASE WHEN {_IS_OF_THIS_SERVER} THEN 0 ELSE 1 END"
    " FROM log.generations ORDER BY generation DESC LIMIT 1)"
)
"""The generation of what is appended now: the next one, where the sealer does not know yet that the server is another.

So a token never takes what others have read of a lost end for what it was given for.
"""

_LAST = text(
    f"SELECT generation, {_IS_OF_THIS_SERVER} AS is_of_this_server"
    " FROM log.generations ORDER BY generation DESC LIMIT 1"
)
_OPEN = text(
    "INSERT INTO log.generations (generation, from_position, system_identifier, timeline_id)"
    f" SELECT :generation, :from_position, system_identifier, {TIMELINE} FROM pg_control_system()"
)
_OUTDATE_SEALS_UNDER_WAY = text("UPDATE log.head SET watermark = watermark + interval '1 microsecond'")
_SEALED_AT = text("SELECT hash FROM log.seals WHERE last <= :position ORDER BY last DESC LIMIT 1")


async def server_is_that_of_the_log(tx: AsyncConnection) -> bool:
    """Whether the newest generation was opened on this server and timeline: then nothing here tells of a restore."""
    return bool((await tx.execute(_LAST)).one().is_of_this_server)


async def open_generation(tx: AsyncConnection, generation: int, from_position: int) -> None:
    """From now on, what is drawn after `from_position` is of this generation.

    A seal under way is of the generation before: the watermark moves, so that it fails on the head.
    """
    await tx.execute(_OUTDATE_SEALS_UNDER_WAY)
    await tx.execute(_OPEN, {"generation": generation, "from_position": from_position})


async def open_generation_if_restored(tx: AsyncConnection, position: int, witness: SignedHead | None) -> None:
    """Open one after `position`, up to which the log is sealed, if it is on another server or lacks what was signed.

    `witness` is the newest head that was signed. The generation's number is one that the witness has not seen either.
    """
    last = (await tx.execute(_LAST)).one()
    if last.is_of_this_server and (witness is None or await _has(tx, last.generation, position, witness)):
        return
    newest = max(last.generation, witness.generation if witness else 0) + 1
    for generation in range(last.generation + 1, newest + 1):
        await open_generation(tx, generation, position)


async def _has(tx: AsyncConnection, generation: int, position: int, witness: SignedHead) -> bool:
    """Whether the log still is the one whose head was signed."""
    if witness.generation != generation:
        return witness.generation < generation
    sealed = (await tx.execute(_SEALED_AT, {"position": witness.position})).scalar()
    return bool(witness.position <= position and sealed == witness.hash)
