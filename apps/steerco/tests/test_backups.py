"""Backups of databases by their addresses: whole or not at all, and checked before use."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from errno import EINVAL
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from steerco.backups import drafts
from steerco.backups.cutting import cut
from steerco.backups.manifest import FORMAT, BackupFailed
from steerco.backups.places import databases_told, not_told
from steerco.backups.reading import checked, checked_without_keys, keys_beside
from steerco.backups.restoring import restore
from steerco.backups.taking import Beside, take
from steerco.edition.services import BY_NAME
from steerco.testkit.backups import GENERATIONS, HEAD, LEFT, MOVE, ask, put_back, tell
from steerco_events.testkit.logs import until, waits_for_a_lock
from steerco_servers.child import quiet
from steerco_servers.testing import TemporaryPostgres
from steerco_service.migrations import migrate

END_HOLDERS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    " AND state = 'idle in transaction' AND query LIKE '%log.head FOR UPDATE'"
)


async def test_what_a_unit_has_received_of_others_logs_is_put_back_too(
    postgres: TemporaryPostgres, urls: dict[str, str], tmp_path: Path
) -> None:
    async with postgres.databases("reporting") as found:
        with_reporting = urls | {"reporting": found["reporting"].owner_url}
        await migrate(BY_NAME["reporting"].migrations, with_reporting["reporting"])
        kept = "INSERT INTO mirror.logs VALUES ('risk', 'LIC', 'https://pmo.example', 'here', 0, '{}')"
        await tell(with_reporting["reporting"], kept)
        folder = tmp_path / "backups" / "with reporting"
        await take(with_reporting, Beside("empty"), folder, keys_beside(folder), quiet)
        await tell(with_reporting["reporting"], "UPDATE mirror.logs SET after = 'further on'")
        await put_back(folder, with_reporting)
        assert await ask(with_reporting["reporting"], "SELECT after FROM mirror.logs") == "here"


async def test_people_are_not_copied_without_their_keys(
    postgres: TemporaryPostgres, urls: dict[str, str], tmp_path: Path
) -> None:
    forgotten = {"portfolio": urls["finance"], "finance": urls["finance"]}
    with pytest.raises(BackupFailed, match="without portfolio_keys"):
        await take(forgotten, Beside(), tmp_path / "one", tmp_path / "two", quiet)
    assert not list(tmp_path.iterdir())


def manifest_changed(folder: Path, change: Callable[[bytes], bytes]) -> None:
    path = folder / "backup.json"
    path.write_bytes(change(path.read_bytes()))


async def test_a_backup_says_how_far_each_log_is_and_keeps_the_keys_apart(urls: dict[str, str], taken: Path) -> None:
    found = await checked(taken, None, quiet)
    assert (found.manifest.logs["finance"].position, found.manifest.logs["finance"].generation) == (5, 1)
    assert set(found.manifest.databases) == {"finance"}
    assert found.keys
    assert set(found.keys.databases) == {"portfolio_keys"}
    assert found.keys.id == found.manifest.id
    files = [path for folder in (taken, keys_beside(taken)) for path in folder.iterdir()]
    assert {path.name for path in files} == {"backup.json", "finance.dump", "keys.json", "portfolio_keys.dump"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*files, taken, keys_beside(taken)))


@asynccontextmanager
async def waiting_cut(
    postgres: TemporaryPostgres,
) -> AsyncIterator[tuple[Mapping[str, str], AsyncConnection, asyncio.Task[tuple[int, str]]]]:
    """A cut that waits for the head of intake's log, and the connection that holds it."""
    async with postgres.databases("finance", "intake") as found, AsyncExitStack() as stack:
        urls = {name: each.owner_url for name, each in found.items()}
        for name, url in urls.items():
            await migrate(BY_NAME[name].migrations, url)
        engine = create_async_engine(urls["intake"], poolclass=NullPool)
        sealing, looking = [await stack.enter_async_context(engine.connect()) for _ in range(2)]
        await sealing.execute(text("UPDATE log.head SET position = 9"))
        taking = asyncio.create_task(seen_of_a_cut(urls))
        await until(lambda: waits_for_a_lock(looking), "the head is waited for")
        yield urls, sealing, taking


async def test_no_database_is_looked_at_before_every_log_is_held(postgres: TemporaryPostgres) -> None:
    async with waiting_cut(postgres) as (urls, sealing, taking):
        await tell(urls["finance"], "INSERT INTO log.streams VALUES ('read-up-to-9', 1)")
        await sealing.commit()
        assert await taking == (9, "read-up-to-9")


async def test_a_log_that_was_not_held_to_the_end_is_in_no_cut(postgres: TemporaryPostgres) -> None:
    async with waiting_cut(postgres) as (urls, sealing, taking):
        assert await ask(urls["finance"], END_HOLDERS) == 1
        await sealing.commit()
        with pytest.raises(BackupFailed, match="no cut can be made"):
            await taking


async def seen_of_a_cut(urls: Mapping[str, str]) -> tuple[int, str]:
    """How far intake's log is in the cut, and what the snapshot of finance's database has."""
    engine = create_async_engine(urls["finance"], poolclass=NullPool, isolation_level="REPEATABLE READ")
    async with cut(urls, list(urls), ()) as snapshots, engine.connect() as connection:
        await connection.execute(text(f"SET TRANSACTION SNAPSHOT '{snapshots['finance'].snapshot}'"))
        log = snapshots["intake"].log
        assert log
        return log.position, (await connection.execute(text("SELECT stream FROM log.streams"))).scalar_one()


async def test_a_restore_is_the_copy_in_a_new_generation_and_lets_the_service_in(
    databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    await tell(urls["finance"], MOVE.format(9))
    await put_back(taken, urls, "finance")
    app = databases["finance"].app_url
    assert await ask(app, HEAD) == 5
    assert await ask(app, GENERATIONS) == [0, 5]
    assert await ask(app, "SELECT count(*) FROM log.streams") == 1
    assert await ask(app, "SHOW idle_in_transaction_session_timeout") == "1min"
    assert await ask(urls["finance"], LEFT) == 0
    await migrate(BY_NAME["finance"].migrations, urls["finance"])


async def test_a_second_restore_of_the_same_copy_begins_a_generation_that_nobody_has_read_of(
    urls: dict[str, str], taken: Path
) -> None:
    for _ in range(2):
        await put_back(taken, urls, "finance")
    assert await ask(urls["finance"], GENERATIONS) == [0, 5, 5]


async def test_a_restore_that_fails_leaves_every_database_as_it_was(
    databases: Mapping[str, Any], urls: dict[str, str], taken: Path
) -> None:
    await tell(urls["finance"], MOVE.format(9))
    found = await checked(taken, None, quiet)
    (keys_beside(taken) / "portfolio_keys.dump").write_bytes(b"no dump")
    with pytest.raises(BackupFailed, match="portfolio_keys can't be restored"):
        await restore(found, urls, (), quiet, replace=True)
    assert await ask(databases["finance"].app_url, HEAD) == 9
    assert await ask(urls["finance"], GENERATIONS) == [0]
    assert await ask(urls["portfolio_keys"], "SELECT count(*) FROM privacy.keys") == 2
    await migrate(BY_NAME["finance"].migrations, urls["finance"])


async def test_a_copy_goes_into_no_database_of_another_name(urls: dict[str, str], taken: Path) -> None:
    with pytest.raises(BackupFailed, match="can't go into"):
        await put_back(taken, urls | {"finance": urls["portfolio_keys"]}, "finance")


async def test_a_byte_that_was_altered_is_found(taken: Path) -> None:
    content = bytearray((taken / "finance.dump").read_bytes())
    content[len(content) // 2] ^= 1
    (taken / "finance.dump").write_bytes(content)
    with pytest.raises(BackupFailed, match=r"finance\.dump is not what was written"):
        await checked_without_keys(taken, quiet)


async def test_a_file_that_is_gone_is_named(taken: Path) -> None:
    (taken / "finance.dump").unlink()
    with pytest.raises(BackupFailed, match=r"finance\.dump is missing"):
        await checked_without_keys(taken, quiet)


async def test_without_its_manifest_a_folder_is_no_backup(taken: Path) -> None:
    (taken / "backup.json").unlink()
    with pytest.raises(BackupFailed, match="is no backup"):
        await checked_without_keys(taken, quiet)


async def test_keys_that_are_elsewhere_are_asked_for(taken: Path, tmp_path: Path) -> None:
    shutil.move(keys_beside(taken), tmp_path / "safe")
    with pytest.raises(BackupFailed, match="--keys DIR"):
        await checked(taken, None, quiet)
    assert (await checked(taken, tmp_path / "safe", quiet)).keys


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (f'"format": {FORMAT}', f'"format": {FORMAT + 1}', "take a newer release"),
        ('"revision": "0004"', '"revision": "9999"', "restore by the newer release"),
        ('"format"', "format", "damaged"),
        ('"finance.dump": {', '"other.dump": {', "does not list finance.dump"),
    ],
)
async def test_what_this_release_can_not_read_is_refused(
    before: str, after: str, said: str, urls: dict[str, str], taken: Path
) -> None:
    manifest_changed(taken, lambda content: content.replace(before.encode(), after.encode()))
    with pytest.raises(BackupFailed, match=said):
        await put_back(taken, urls)
    assert await ask(urls["finance"], GENERATIONS) == [0]


async def test_a_backup_that_fails_leaves_nothing(urls: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    broken = urls | {"portfolio_keys": urls["portfolio_keys"].replace("steerco_t", "steerco_x")}
    with pytest.raises(BackupFailed, match="no cut can be made"):
        await take(broken, Beside(), folder, keys_beside(folder), quiet)
    unreadable = tmp_path / "unreadable"
    unreadable.mkdir()
    with pytest.raises(BackupFailed, match="can't be written"):
        await take(urls, Beside(plain={"heads": unreadable}), folder, keys_beside(folder), quiet)
    assert list(tmp_path.iterdir()) == [unreadable]


@pytest.mark.parametrize(("folder", "keys"), [("one", "one"), ("one", "one/keys"), ("keys/one", "keys"), ("a/..", ".")])
async def test_keys_within_the_backup_or_around_it_are_refused_before_any_work(
    folder: str, keys: str, tmp_path: Path
) -> None:
    said: list[str] = []
    with pytest.raises(BackupFailed, match="the keys are kept apart"):
        await take({"finance": "nowhere"}, Beside(), tmp_path / folder, tmp_path / keys, said.append)
    assert not said
    assert not list(tmp_path.iterdir())


async def test_a_backup_that_can_not_take_its_place_takes_its_keys_back(urls: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "one"

    def be_there_first(_: str) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "of another").touch()

    with pytest.raises(BackupFailed, match="one can't be written: Directory not empty"):
        await take(urls, Beside(), folder, keys_beside(folder), be_there_first)
    assert list(tmp_path.iterdir()) == [folder]
    assert [path.name for path in folder.iterdir()] == ["of another"]


async def test_keys_whose_place_can_not_be_made_safe_are_taken_back(
    urls: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> None:
        raise OSError(EINVAL, "Invalid argument")

    monkeypatch.setattr(drafts, "sync", fail)
    with pytest.raises(BackupFailed, match="can't be written: Invalid argument"):
        await take(urls, Beside(), tmp_path / "one", keys_beside(tmp_path / "one"), quiet)
    assert list(tmp_path.iterdir()) == []


async def test_keys_that_a_kill_left_without_their_backup_are_in_nobodys_way(urls: dict[str, str], taken: Path) -> None:
    before = (keys_beside(taken) / "keys.json").read_bytes()
    taken.rename(taken.with_name(f".{taken.name}.part"))
    await take(urls, Beside(), taken, keys_beside(taken), quiet)
    assert (await checked(taken, None, quiet)).keys
    assert (keys_beside(taken) / "keys.json").read_bytes() != before
    assert {path.name for path in taken.parent.iterdir()} == {taken.name, keys_beside(taken).name}


async def test_keys_of_another_backup_are_never_written_over(urls: dict[str, str], taken: Path) -> None:
    before = (keys_beside(taken) / "keys.json").read_bytes()
    other = taken.with_name("other")
    await take(urls, Beside(), other, keys_beside(other), quiet)
    other.rename(taken.with_name(".third.part"))
    with pytest.raises(BackupFailed, match="one-keys is there already"):
        await take(urls, Beside(), taken.with_name("third"), keys_beside(taken), quiet)
    assert (keys_beside(taken) / "keys.json").read_bytes() == before


async def test_nothing_is_written_over(urls: dict[str, str], taken: Path) -> None:
    before = (taken / "backup.json").read_bytes()
    with pytest.raises(BackupFailed, match="nothing is written over"):
        await take(urls, Beside(), taken, taken.with_name("other-keys"), quiet)
    assert (taken / "backup.json").read_bytes() == before


def test_databases_are_told_by_a_file_or_a_folder_as_a_secret_is_mounted(tmp_path: Path) -> None:
    url = "postgresql+asyncpg://role:secret@host/steerco_finance"
    (tmp_path / "finance").write_text(f"{url}\n")
    (tmp_path / "..data").mkdir()
    assert databases_told(tmp_path) == {"finance": url}
    assert "portfolio_keys" in not_told({"finance": url})
    (tmp_path / "portfolio-keys").write_text(url)
    with pytest.raises(BackupFailed, match="portfolio-keys: no database"):
        databases_told(tmp_path)
    told = tmp_path / "told.json"
    told.write_text(f'{{"finance": "{url}"}}')
    assert databases_told(told) == {"finance": url}


@pytest.mark.parametrize("told", ["{}", "[]", '{"billing": "x"}', '{"finance": "postgresql://role:hidden@host/x"}'])
def test_what_names_no_database_is_refused_without_repeating_a_secret(told: str, tmp_path: Path) -> None:
    file = tmp_path / "told.json"
    file.write_text(told)
    with pytest.raises(BackupFailed) as refused:
        databases_told(file)
    assert "hidden" not in str(refused.value)
