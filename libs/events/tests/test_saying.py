"""Of an error of the database is said what is wrong and where, and never a value: not in one line, and not in full."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Text, TypeDecorator, bindparam, text
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from steerco_events.postgres.wakeups import asyncpg_dsn
from steerco_events.saying import said, said_in_full
from steerco_servers.testing import TemporaryPostgres

SECRETS = ("Acquire Lumina", "1250.5", "Hopper")
GIVEN = {"title": "Acquire Lumina by Hopper", "amount": Decimal("1250.50")}
"""By name, as the lines of code in a traceback are said, too."""

WITHOUT_CODE = "INSERT INTO pitches (title, amount) VALUES (:title, :amount)"
OF_A_SHAPE = "SELECT CAST(CAST(:title AS text) AS uuid)"


@pytest.fixture(scope="module")
async def engine(postgres: TemporaryPostgres) -> AsyncIterator[AsyncEngine]:
    """A database with a table of what nobody else may read; parameters are shown by nobody but the driver."""
    async with postgres.databases("pitches") as databases:
        engine = create_async_engine(databases["pitches"].owner_url, poolclass=NullPool)
        async with engine.begin() as tx:
            await tx.execute(
                text("CREATE TABLE pitches (code text NOT NULL, title text UNIQUE, amount numeric CHECK (amount > 0))")
            )
            await tx.execute(text("INSERT INTO pitches VALUES ('P', 'Acquire Lumina by Hopper', 1)"))
        yield engine


async def failing(engine: AsyncEngine, statement: str, **values: object) -> StatementError:
    """What a statement raises that fails."""
    with pytest.raises(StatementError) as raised:
        async with engine.begin() as tx:
            await tx.execute(text(statement), GIVEN | values)
    return raised.value


def holds_no_secret(error: BaseException) -> bool:
    assert any(secret in _all_of(error) for secret in SECRETS), "else it shows nothing"
    return not any(secret in told for secret in SECRETS for told in (said(error), said_in_full(error)))


def _all_of(error: BaseException | None) -> str:
    return f"{error}\n{_all_of(error.__cause__ or error.__context__)}" if error else ""


@pytest.mark.parametrize(
    ("statement", "values", "line"),
    [
        (WITHOUT_CODE, {}, 'null value in column "code" of relation "pitches" violates not-null constraint'),
        (
            "INSERT INTO pitches VALUES ('P', :title, :amount)",
            {},
            'duplicate key value violates unique constraint "pitches_title_key"',
        ),
        (
            "INSERT INTO pitches VALUES ('P', :title, -CAST(:amount AS numeric))",
            {"title": "Acquire Lumina"},
            'new row for relation "pitches" violates check constraint "pitches_amount_check"',
        ),
        (OF_A_SHAPE, {}, "invalid input syntax for type uuid"),
        (OF_A_SHAPE, {"title": "in\ntwo: Hopper"}, "invalid input syntax for type uuid"),
        ("SELECT CAST(CAST(:title AS text) AS integer)", {"title": "1250.50"}, "invalid input syntax for type integer"),
        (WITHOUT_CODE, {"title": 1250.50}, "invalid input for query argument $1"),
        (WITHOUT_CODE, {"amount": "Hopper"}, "invalid input for query argument $2"),
    ],
)
async def test_what_postgresql_says_of_a_value_is_not_said(
    engine: AsyncEngine, statement: str, values: dict[str, Any], line: str
) -> None:
    error = await failing(engine, statement, **values)
    assert holds_no_secret(error)
    assert said(error).endswith(f") {line}")
    *_, last, sql = said_in_full(error).splitlines()
    assert last.endswith(f") {line}")
    assert sql.startswith("[SQL: ")


class Unreadable(TypeDecorator[str]):
    """A type that refuses what it is given before the driver has it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:
        raise ValueError(f"{value} is no text")


async def test_neither_is_a_value_that_never_came_to_the_driver(engine: AsyncEngine) -> None:
    statement = text("SELECT :title").bindparams(bindparam("title", type_=Unreadable()))
    with pytest.raises(StatementError) as raised:
        async with engine.begin() as tx:
            await tx.execute(statement, {"title": GIVEN["title"]})
    assert holds_no_secret(raised.value)
    assert said(raised.value) == "StatementError: (builtins.ValueError)"


@pytest.mark.parametrize("title", [GIVEN["title"], GIVEN["amount"]])
async def test_nor_what_the_driver_says_by_itself(engine: AsyncEngine, title: object) -> None:
    connection = await asyncpg.connect(asyncpg_dsn(engine.url.render_as_string(hide_password=False)))
    try:
        with pytest.raises(asyncpg.PostgresError) as raised:
            await connection.execute("INSERT INTO pitches (title) VALUES ($1)", title)
    finally:
        await connection.close()
    assert holds_no_secret(raised.value)


async def test_an_error_that_came_of_one_tells_what_led_to_it_without_the_values(engine: AsyncEngine) -> None:
    async def work() -> None:
        try:
            await raises(engine)
        except StatementError as error:
            raise RuntimeError("the work failed") from error

    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.TaskGroup() as group:
            group.create_task(work())
    told = said_in_full(raised.value)
    assert not any(secret in told for secret in SECRETS)
    for part in (
        "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)",
        "RuntimeError: the work failed",
        "NotNullViolationError",
        "[SQL: INSERT INTO pitches (title, amount)",
        "The above exception was the direct cause of the following exception:",
        ", in work",
    ):
        assert part in told


async def raises(engine: AsyncEngine) -> None:
    raise await failing(engine, WITHOUT_CODE)


async def test_what_no_database_raised_is_said_as_python_does() -> None:
    error = ValueError("two\nlines")
    assert said(error) == "ValueError: two"
    assert said_in_full(error) == "ValueError: two\nlines"


async def test_a_database_that_is_away_says_where() -> None:
    engine = create_async_engine("postgresql+asyncpg://app@127.0.0.1:1/risk", poolclass=NullPool)
    with pytest.raises(OSError, match="1") as raised:
        async with engine.connect():
            pass
    assert "127.0.0.1" in said(raised.value)
    assert "127.0.0.1" in said_in_full(raised.value)


def test_errors_that_led_to_each_other_come_to_an_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert said_in_full(first).count("ValueError: first") == 1


async def test_the_traces_of_what_failed_are_said_with_it(engine: AsyncEngine) -> None:
    error = await failing(engine, WITHOUT_CODE)
    error.add_note("trace 4bf92f3577b34da6a3ce929d0e0e4736")
    assert said_in_full(error).splitlines()[-1] == "trace 4bf92f3577b34da6a3ce929d0e0e4736"


async def test_what_sqlalchemy_says_by_itself_is_said(engine: AsyncEngine) -> None:
    with pytest.raises(StatementError) as raised:
        async with engine.connect() as connection:
            await connection.execute(text(WITHOUT_CODE), {"title": GIVEN["title"]})
    assert "A value is required for bind parameter 'amount'" in said(raised.value)
    assert "Lumina" not in said_in_full(raised.value)


async def test_what_led_to_an_error_of_a_value_is_said_whatever_it_was(engine: AsyncEngine) -> None:
    error = await failing(engine, OF_A_SHAPE)
    error.__cause__ = SyntaxError("1250.50")
    assert "1250.5" not in said_in_full(error)
