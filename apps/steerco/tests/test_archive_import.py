"""An import that can't be finished leaves nothing, and may be tried again."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from steerco.archives.files import KEY, ArchiveFile, read_keys, write_keys
from steerco.archives.importing import import_logs
from steerco.edition.directory import DataDirectory, EditionFailed
from steerco_events.archive.hashing import START
from steerco_events.archive.lines import FORMAT, Beginning, End, Line
from steerco_events.contracts.catalog import LOGS
from steerco_servers.postgres import remove_cluster
from steerco_service.log_key import LogKey, PublicLogKey

AT = datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Archives of empty logs, and a key beside them."""
    folder = tmp_path / "export"
    folder.mkdir()
    for service in LOGS:
        lines: list[Line] = [Beginning(FORMAT, service, (0,), 0, None, True), End(0, START, AT, ())]
        ArchiveFile.of(folder, service).write(lines)
    write_keys(folder / KEY, [PublicLogKey.of(LogKey.generate().public())])
    return folder


@pytest.fixture
async def directory(tmp_path: Path) -> AsyncIterator[DataDirectory]:
    """A new data directory; the cluster in it is removed afterwards."""
    new = DataDirectory(tmp_path / "data")
    yield new
    await remove_cluster(new.postgres)


async def test_an_import_whose_last_files_can_not_be_written_leaves_nothing_and_may_be_tried_again(
    exported: Path, directory: DataDirectory
) -> None:
    for unwritable in (directory.earlier_log_keys, directory.path / "edition.json.new"):
        unwritable.mkdir(parents=True)
        with pytest.raises(EditionFailed, match=r"nothing was taken over into .*/data: Is a directory"):
            await import_logs(exported, directory.path, lambda _: None)
        assert list(directory.path.iterdir()) == [unwritable]
        unwritable.rmdir()
    taken = await import_logs(exported, directory.path, lambda _: None)
    assert [each.service for each in taken] == list(LOGS)
    assert directory.content() == "empty"
    (kept,), (given,) = read_keys(directory.earlier_log_keys), read_keys(exported / KEY)
    assert kept.key_id == given.key_id
