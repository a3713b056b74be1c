"""Backups that go into data directories, with what stands beside the databases; and those of an older server."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from steerco.archives.files import KEY, read_keys
from steerco.backups.directories import restore_directory
from steerco.backups.manifest import BackupFailed
from steerco.backups.places import beside_in
from steerco.backups.reading import checked, checked_without_keys, keys_beside
from steerco.backups.taking import Beside, take
from steerco.edition.directory import DataDirectory
from steerco.edition.services import BY_NAME, SERVICES
from steerco.testkit.backups import HEAD, MOVE, ask, put_back, tell
from steerco_servers.child import quiet
from steerco_servers.postgres import provision, remove_cluster, start_postgres
from steerco_servers.testing import TemporaryPostgres
from steerco_service.hosting import databases_of
from steerco_service.migrations import migrate


@pytest.fixture
async def former(tmp_path: Path) -> Path:
    """A backup of a data directory that has signed heads and a log."""
    directory = DataDirectory(tmp_path / "former")
    directory.heads.mkdir(parents=True)
    directory.renew_log_key()
    (directory.heads / "finance.jsonl").write_text("{}\n")
    async with await start_postgres(directory.postgres, settings={"fsync": "off"}) as server:
        databases = await provision(server.url(), databases_of(SERVICES), passwords=directory.roles)
        urls = {"finance": databases["finance"].owner_url}
        await migrate(BY_NAME["finance"].migrations, urls["finance"])
        await take(urls, beside_in(directory), tmp_path / "backup", keys_beside(tmp_path / "backup"), quiet)
    await remove_cluster(directory.postgres)
    return tmp_path / "backup"


async def test_what_was_signed_stays_verifiable_without_the_keys(former: Path, tmp_path: Path) -> None:
    shutil.rmtree(keys_beside(former))
    directory = DataDirectory(tmp_path / "again")
    try:
        found = await checked_without_keys(former, quiet)
        await restore_directory(found, directory.path, (), quiet, replace=False)
        signed = read_keys(DataDirectory(tmp_path / "former").log_key)
        assert [key.key_id for key in read_keys(directory.earlier_log_keys)] == [key.key_id for key in signed]
        assert '"d"' not in (former / KEY).read_text()
        assert not directory.log_key.exists()
        assert (directory.heads / "finance.jsonl").exists()
    finally:
        await remove_cluster(directory.postgres)


async def test_a_restore_that_fails_takes_nothing_away_that_was_rescued(former: Path, tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "rescued")
    directory.path.mkdir()
    directory.heads.mkdir()
    (directory.heads / "risk.jsonl").write_text("rescued\n")
    directory.renew_log_key()
    directory.keep_issuer_key({"kty": "rescued"})
    before = files_in(directory.path)
    found = await checked(former, None, quiet)
    (former / "finance.dump").write_bytes(b"no dump")
    with pytest.raises(BackupFailed, match="finance can't be restored"):
        await restore_directory(found, directory.path, (), quiet, replace=False)
    assert files_in(directory.path) == before


def files_in(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_a_server_of_the_oldest_version_is_backed_up_and_restored_by_its_own_programs(
    tmp_path: Path, taken: Path
) -> None:
    try:
        async with await start_postgres(tmp_path / "older", settings={"fsync": "off"}, major=16) as server:
            older = TemporaryPostgres(server.url(), tmp_path, server)
            async with older.databases("finance") as databases:
                its = {"finance": databases["finance"].owner_url}
                await migrate(BY_NAME["finance"].migrations, its["finance"])
                await tell(its["finance"], MOVE.format(7))
                await take(its, Beside(), tmp_path / "copy", keys_beside(tmp_path / "copy"), quiet)
                await tell(its["finance"], MOVE.format(9))
                await put_back(tmp_path / "copy", its)
                assert await ask(its["finance"], "SHOW server_version_num") < "17"
                assert await ask(its["finance"], HEAD) == 7
                with pytest.raises(BackupFailed, match="PostgreSQL 18: it can't go into an older one, such as this 16"):
                    await put_back(taken, its, "finance")
                assert await ask(its["finance"], HEAD) == 7
    finally:
        await remove_cluster(tmp_path / "older")
