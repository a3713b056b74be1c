"""Restores by the owner alone: all or as before, under nobody, and told apart wherever they are cut off."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import make_url

from steerco.backups.aside import Aside, Mark
from steerco.backups.manifest import BackupFailed
from steerco.backups.reading import checked, keys_beside
from steerco.backups.replacing import Replaced
from steerco.backups.restoring import restore
from steerco.backups.taking import Beside, take
from steerco.edition.services import BY_NAME
from steerco.testkit.backups import ERASED, GENERATIONS, HEAD, LEFT, MOVE, OTHER, ask, cut_off, put_back, tell
from steerco_events.ids import new_id
from steerco_events.postgres.wakeups import asyncpg_dsn
from steerco_servers.child import quiet
from steerco_servers.testing import TemporaryPostgres
from steerco_service.migrations import RestoreCutOff, migrate


async def test_nothing_is_put_in_the_place_of_what_is_there_unasked(urls: dict[str, str], taken: Path) -> None:
    await tell(urls["finance"], MOVE.format(9))
    with pytest.raises(BackupFailed, match="finance is not empty: --replace"):
        await put_back(taken, urls, replace=False)
    assert await ask(urls["finance"], HEAD) == 9


async def test_nothing_is_restored_under_a_service_that_runs(
    databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    connection = await asyncpg.connect(asyncpg_dsn(databases["finance"].app_url))
    try:
        with pytest.raises(BackupFailed, match="finance is in use"):
            await put_back(taken, urls)
    finally:
        await connection.close()
    assert await ask(urls["finance"], GENERATIONS) == [0]
    assert await ask(databases["finance"].app_url, HEAD) == 5


async def test_a_service_that_logs_in_by_a_role_which_took_the_place_of_its_own_is_seen(
    postgres: TemporaryPostgres, databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    app = make_url(databases["finance"].app_url)
    second = f"{app.username}_2"
    await tell(postgres.admin_url, f"CREATE ROLE {second} LOGIN PASSWORD 'of-the-second' IN ROLE {app.username}")
    try:
        url = app.set(username=second, password="of-the-second").render_as_string(hide_password=False)
        connection = await asyncpg.connect(asyncpg_dsn(url))
        try:
            with pytest.raises(BackupFailed, match=f"finance is in use .*{second}"):
                await put_back(taken, urls)
        finally:
            await connection.close()
        assert await ask(url, HEAD) == 5
    finally:
        await tell(postgres.admin_url, f"DROP ROLE {second}")


async def test_nobody_is_let_in_while_a_database_is_filled_that_everybody_might_connect_to(
    databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    await tell(urls["finance"], f"GRANT CONNECT ON DATABASE {make_url(urls['finance']).database} TO PUBLIC")
    await cut_off(taken, urls, settled=0)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tell(databases["finance"].app_url, "SELECT 1")


async def test_whoever_was_erased_since_stays_so_and_the_others_have_their_keys(
    urls: dict[str, str], taken: Path
) -> None:
    forget = f"INSERT INTO privacy.erasures VALUES ('{ERASED}', now()); DELETE FROM privacy.keys"
    await tell(urls["portfolio_keys"], forget)
    await put_back(taken, urls)
    assert await ask(urls["portfolio_keys"], "SELECT array_agg(subject) FROM privacy.keys") == [OTHER]
    assert await ask(urls["portfolio_keys"], "SELECT array_agg(subject) FROM privacy.erasures") == [ERASED]


async def test_whoever_was_registered_since_the_keys_were_copied_keeps_theirs(
    urls: dict[str, str], taken: Path, tmp_path: Path
) -> None:
    later, gone = new_id(), new_id()
    registered = ", ".join(f"('{person}', '\\x01', now())" for person in (later, gone))
    await tell(urls["portfolio_keys"], f"INSERT INTO privacy.keys VALUES {registered}")
    await tell(urls["portfolio_keys"], f"INSERT INTO privacy.erasures VALUES ('{gone}', now())")
    newer = tmp_path / "newer"
    await take(urls, Beside(), newer, keys_beside(newer), quiet)
    said: list[str] = []
    found = await checked(newer, keys_beside(taken), quiet)
    await restore(found, urls, (), said.append, replace=True)
    kept = await ask(urls["portfolio_keys"], "SELECT array_agg(subject) FROM privacy.keys")
    assert set(kept) == {ERASED, OTHER, later}
    assert "older than the logs" in said[0]


async def test_a_restore_that_was_cut_off_before_anybody_was_let_in_is_undone_by_the_next(
    databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    await tell(urls["finance"], MOVE.format(9))
    await cut_off(taken, urls, settled=0)
    with pytest.raises(BackupFailed, match="not empty"):
        await put_back(taken, urls, replace=False)
    assert await ask(databases["finance"].app_url, HEAD) == 9
    assert await ask(urls["finance"], GENERATIONS) == [0]
    await migrate(BY_NAME["finance"].migrations, urls["finance"])


async def test_a_restore_that_was_cut_off_before_anything_stood_aside_lets_the_service_in_when_it_is_run_again(
    databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    await tell(urls["finance"], MOVE.format(9))
    await Aside("finance", urls["finance"]).shut(Mark(new_id(), frozenset(urls)))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await tell(databases["finance"].app_url, "SELECT 1")
    with pytest.raises(RestoreCutOff):
        await migrate(BY_NAME["finance"].migrations, urls["finance"])
    with pytest.raises(BackupFailed, match="not empty"):
        await put_back(taken, urls, replace=False)
    assert await ask(databases["finance"].app_url, HEAD) == 9
    assert await ask(urls["finance"], LEFT) == 0


async def test_a_database_that_can_not_be_undone_leaves_the_others_as_they_were_and_is_undone_by_the_next_restore(
    postgres: TemporaryPostgres, databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    await tell(urls["finance"], MOVE.format(9))
    found = await checked(taken, None, quiet)
    (keys_beside(taken) / "portfolio_keys.dump").write_bytes(b"no dump")
    allow = f"ALTER DATABASE {make_url(urls['finance']).database} ALLOW_CONNECTIONS {{}}"

    def lose_finance_before_the_keys(step: str) -> None:
        if step == "restoring portfolio_keys":
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, tell(postgres.admin_url, allow.format(False))).result()

    try:
        said = "portfolio_keys can't be restored.*the database of finance.*run the restore again"
        with pytest.raises(BackupFailed, match=said):
            await restore(found, urls, (), lose_finance_before_the_keys, replace=True)
        assert await ask(databases["portfolio_keys"].app_url, "SELECT count(*) FROM privacy.keys") == 2
        assert await ask(urls["portfolio_keys"], LEFT) == 0
    finally:
        await tell(postgres.admin_url, allow.format(True))
    with pytest.raises(BackupFailed, match="not empty"):
        await restore(found, urls, (), quiet, replace=False)
    assert await ask(databases["finance"].app_url, HEAD) == 9
    assert await ask(urls["finance"], LEFT) == 0


@pytest.mark.parametrize(("settled", "cleared"), [(1, 0), (2, 0), (2, 1)])
async def test_nothing_is_undone_that_was_written_since_somebody_was_let_in(
    databases: Mapping[str, Any], urls: dict[str, str], taken: Path, settled: int, cleared: int
) -> None:
    await tell(urls["portfolio_keys"], "DELETE FROM privacy.keys")
    await cut_off(taken, urls, settled=settled, cleared=cleared)
    await tell(urls["finance"], MOVE.format(30))
    with pytest.raises(BackupFailed, match="not empty"):
        await put_back(taken, urls, replace=False)
    assert await ask(databases["finance"].app_url, HEAD) == 30
    assert await ask(databases["portfolio_keys"].app_url, "SELECT count(*) FROM privacy.keys") == 2
    for url in urls.values():
        assert await ask(url, LEFT) == 0


async def test_what_becomes_of_a_restore_that_was_cut_off_is_told_by_all_its_databases(
    urls: dict[str, str], taken: Path
) -> None:
    await cut_off(taken, urls, settled=1)
    with pytest.raises(BackupFailed, match="can't be told without finance"):
        await put_back(taken, {"portfolio_keys": urls["portfolio_keys"]}, "portfolio_keys")


async def test_a_restore_into_empty_databases_that_was_cut_off_leaves_them_empty(
    postgres: TemporaryPostgres, urls: dict[str, str], taken: Path
) -> None:
    found = await checked(taken, None, quiet)
    for url in urls.values():
        await tell(url, "DROP SCHEMA IF EXISTS log, views, privacy CASCADE; DROP TABLE public.alembic_version")
    finance = Replaced("finance", urls["finance"], *found.dumps["finance"])
    await finance.shut(Mark(new_id(), frozenset(urls)))
    await finance.put_aside()
    await put_back(taken, urls, replace=False)
    assert await ask(urls["finance"], HEAD) == 5


async def test_nobody_works_on_what_a_restore_has_left_half_done(
    urls: dict[str, str], taken: Path, tmp_path: Path
) -> None:
    await cut_off(taken, urls, settled=0)
    with pytest.raises(RestoreCutOff, match="run it again with --replace"):
        await migrate(BY_NAME["finance"].migrations, urls["finance"])
    with pytest.raises(BackupFailed, match="a restore of finance has not ended"):
        await take(urls, Beside(), tmp_path / "next", tmp_path / "next-keys", quiet)


async def test_what_was_replaced_is_in_no_backup(urls: dict[str, str], taken: Path, tmp_path: Path) -> None:
    await cut_off(taken, urls, settled=2)
    await take(urls, Beside(), tmp_path / "next", keys_beside(tmp_path / "next"), quiet)
    await put_back(tmp_path / "next", urls)
    assert await ask(urls["finance"], LEFT) == 0


@pytest.fixture
async def readers(postgres: TemporaryPostgres, urls: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """Beside both databases risk's, which read finance's log up to 9, and training's, which is empty still.

    Of the builds of risk's view, the first is read no more.
    """
    async with postgres.databases("risk", "training") as found:
        url = found["risk"].owner_url
        await migrate(BY_NAME["risk"].migrations, url)
        read = ", ".join(
            f"('{consumer}', 'finance', 1, '{{4,9}}', '{{}}')" for consumer in ("react", "spent_v1_b1", "spent_v1_b2")
        )
        await tell(url, f"INSERT INTO log.checkpoints VALUES {read}, ('behind', 'finance', 1, '{{5}}', '{{}}')")
        await tell(url, "INSERT INTO log.builds VALUES ('spent', 1, 1, 'retired', now())")
        yield urls | {name: each.owner_url for name, each in found.items()}


async def test_who_has_read_more_than_what_was_restored_is_told_also_beside_an_empty_database(
    readers: dict[str, str], taken: Path
) -> None:
    found = await checked(taken, None, quiet)
    told = await restore(found, readers, ("finance",), quiet, replace=True)
    assert {str(each.consumer) for each in told} == {"react", "spent_v1_b2"}
    assert {(each.service, each.source, each.position, each.kept) for each in told} == {("risk", "finance", 9, 5)}


async def test_a_database_that_can_not_be_asked_what_it_has_read_leaves_what_was_restored(
    databases: Mapping[str, Any], readers: dict[str, str], taken: Path
) -> None:
    await tell(readers["risk"], "DROP TABLE log.checkpoints")
    found = await checked(taken, None, quiet)
    with pytest.raises(BackupFailed, match=r"the database of risk: .*the copies are in: steerco doctor"):
        await restore(found, readers, ("finance",), quiet, replace=True)
    assert await ask(databases["finance"].app_url, GENERATIONS) == [0, 5]
