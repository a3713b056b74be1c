"""A repeated command gets the first answer, whichever of the twins comes first."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from steerco_events.ids import new_id
from steerco_events.postgres.commands import (
    KEPT,
    CommandKey,
    IdempotencyKeyReused,
    TwinAccepted,
    find,
    forget_old,
    keep_forgetting,
    remember,
)
from steerco_events.testkit.logs import Log, running, until, waits_for_a_lock


def command() -> CommandKey:
    return CommandKey(new_id(), "POST /tallies", "once", b"body")


async def accept(log: Log, key: CommandKey, answer: bytes) -> bytes:
    """Do what a service does with a keyed request."""
    while True:
        with suppress(TwinAccepted):
            async with log.engine.begin() as tx:
                found = await find(tx, [key])
                if key.identity in found:
                    return found[key.identity].answer_to(key)
                await remember(tx, [(key, answer)], log.clock.now())
                return answer


async def somebody_waits(log: Log) -> bool:
    async with log.engine.connect() as connection:
        return await waits_for_a_lock(connection)


async def test_the_same_key_gets_the_first_answer(shared_log: Log) -> None:
    key = command()
    assert await accept(shared_log, key, b"first") == b"first"
    assert await accept(shared_log, key, b"second") == b"first"


async def test_the_same_key_with_another_body_is_refused(shared_log: Log) -> None:
    key = command()
    await accept(shared_log, key, b"first")
    with pytest.raises(IdempotencyKeyReused):
        await accept(shared_log, replace(key, body_hash=b"another body"), b"second")


async def test_a_key_is_the_callers_own_and_of_one_operation(shared_log: Log) -> None:
    key = command()
    await accept(shared_log, key, b"first")
    assert await accept(shared_log, replace(key, actor=new_id()), b"another's") == b"another's"
    assert await accept(shared_log, replace(key, operation="POST /labels"), b"label") == b"label"


async def test_a_twin_waits_for_the_first_and_gets_its_answer(shared_log: Log) -> None:
    key = command()
    async with shared_log.engine.begin() as tx:
        await remember(tx, [(key, b"first")], shared_log.clock.now())
        twin = asyncio.create_task(accept(shared_log, key, b"second"))
        await until(lambda: somebody_waits(shared_log), "the twin waits")
    assert await twin == b"first"


async def test_a_command_that_was_rolled_back_leaves_its_key_to_the_twin(shared_log: Log) -> None:
    key = command()
    async with shared_log.engine.connect() as tx:
        await remember(tx, [(key, b"first")], shared_log.clock.now())
        twin = asyncio.create_task(accept(shared_log, key, b"second"))
        await until(lambda: somebody_waits(shared_log), "the twin waits")
        await tx.rollback()
    assert await twin == b"second"


async def test_many_answers_are_kept_and_found_together(shared_log: Log) -> None:
    keys = [command() for _ in range(5)]
    async with shared_log.engine.begin() as tx:
        await remember(tx, [(key, f"{n}".encode()) for n, key in enumerate(keys)], shared_log.clock.now())
        found = await find(tx, [*reversed(keys), command()])
    assert {identity: each.answer for identity, each in found.items()} == {
        key.identity: f"{n}".encode() for n, key in enumerate(keys)
    }


async def test_an_answer_is_kept_for_thirty_days(shared_log: Log) -> None:
    key = command()
    await accept(shared_log, key, b"first")
    for days, answer in ((KEPT - timedelta(minutes=1), b"first"), (KEPT + timedelta(minutes=1), b"anew")):
        async with shared_log.engine.begin() as tx:
            await forget_old(tx, shared_log.clock.now() + days)
        assert await accept(shared_log, key, b"anew") == answer


async def test_what_is_too_old_is_forgotten_by_itself(shared_log: Log) -> None:
    old, new = command(), command()
    async with shared_log.engine.begin() as tx:
        for key, age in ((old, KEPT + timedelta(minutes=1)), (new, KEPT - timedelta(minutes=1))):
            await remember(tx, [(key, b"first")], shared_log.clock.now() - age)
    async with running(partial(keep_forgetting, shared_log.engine, shared_log.clock)):
        await until(lambda: is_forgotten(shared_log, old), "the old answer is forgotten")
    assert not await is_forgotten(shared_log, new)


async def is_forgotten(log: Log, key: CommandKey) -> bool:
    async with log.engine.connect() as tx:
        return key.identity not in await find(tx, [key])
