"""`steerco verify` of running services: what it says of a log that was altered, sealed anew, or not signed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner

from steerco.archives.files import KEY, archives_in, read_keys, write_keys
from steerco.cli import app
from steerco.edition.directory import DataDirectory
from steerco.edition.mounting import parent_app
from steerco_events.archive.hashing import START
from steerco_events.archive.verifying import verify
from steerco_events.clock import SystemClock
from steerco_events.contracts.risk import RiskClosed
from steerco_events.heads_file import HeadsFile
from steerco_events.ids import derived_id
from steerco_events.positions import SignedHead
from steerco_events.testkit.logs import until
from steerco_servers.testing import TemporaryPostgres
from steerco_service.log_key import LogKey, PublicLogKey, Signing
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import TESTER, Served, log_only, serving

RISK = derived_id("risk", 1)
CLOSED = RiskClosed(risk_id=RISK, project_id=RISK)
EVENTS = 6


@dataclass
class Verifying:
    """Two services whose logs are signed, and the folder of whoever verifies them."""

    served: Served
    url: str
    folder: Path
    owner_url: str
    key: LogKey

    def into(self, folder: Path) -> "Verifying":
        """The same services for somebody with another folder, in which is told of them."""
        (folder / "log-key.json").write_text(json.dumps(self.key.public()))
        DataDirectory(folder).announce(self.url, "of the edition")
        return replace(self, folder=folder)

    async def steerco(self, *arguments: str, expect: int) -> str:
        """What the command prints."""
        token = self.served.issuer.token(TESTER, SystemClock().now(), timedelta(hours=1))
        environment = {"STEERCO_URL": self.url, "STEERCO_TOKEN": token, "STEERCO_DATA_DIR": str(self.folder)}
        done = await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environment)
        assert done.exit_code == expect, done.output
        return done.output

    async def verify(self, *arguments: str, expect: int = 1) -> dict[str, str]:
        """What is said of each log."""
        printed = await self.steerco("verify", "--service", "risk", "--service", "training", *arguments, expect=expect)
        return {line[2:].partition(":")[0]: line for line in printed.splitlines() if line[:1] in "✓✗"}

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[AsyncConnection]:
        """The database of risk, as who administers it."""
        engine = create_async_engine(self.owner_url, poolclass=NullPool)
        async with engine.begin() as tx:
            for table in ("events", "seals", "signed_heads"):
                await tx.execute(text(f"ALTER TABLE log.{table} DISABLE TRIGGER refuse_change"))
            yield tx
        await engine.dispose()

    async def alter(self, value: str, position: int) -> None:
        """Alter the data of an event in the database."""
        async with self.owner() as tx:
            await tx.execute(text(f"UPDATE log.events SET data = {value} WHERE position = :at"), {"at": position})

    @asynccontextmanager
    async def altered(self, value: str, position: int) -> AsyncIterator[None]:
        """Inside, the data of an event is altered; after that it is what it was."""
        query, at = "SELECT encode(data, 'hex') FROM log.events WHERE position = :at", {"at": position}
        async with self.owner() as tx:
            data = (await tx.execute(text(query), at)).scalar_one()
        await self.alter(value, position)
        try:
            yield
        finally:
            await self.alter(f"decode('{data}', 'hex')", position)

    async def seal_anew(self) -> None:
        """Make every seal fit what is there; of the signatures nothing is changed."""
        async with self.owner() as tx:
            previous = START
            for seal in (await tx.execute(text("SELECT first, last FROM log.seals ORDER BY last"))).all():
                values = {"previous": previous, "first": seal.first, "last": seal.last}
                previous = (await tx.execute(SEAL_ANEW, values)).scalar_one()
            await tx.execute(text("UPDATE log.head SET hash = :hash"), {"hash": previous})


SEAL_ANEW = text(
    "UPDATE log.seals s SET previous = :previous, hashes = found.hashes,"
    " hash = log.seal_hash(:previous, s.generation, s.first, s.last, s.sealed_at, found.hashes)"
    " FROM (SELECT string_agg(log.event_hash(e), ''::bytea ORDER BY position) AS hashes"
    " FROM log.events e WHERE position BETWEEN :first AND :last) found WHERE s.last = :last RETURNING hash"
)


@asynccontextmanager
async def signed(postgres: TemporaryPostgres, folder: Path) -> AsyncIterator[Verifying]:
    """Two services, with the head of each log signed."""
    key = LogKey.generate()
    async with serving([log_only("risk"), log_only("training")], postgres, signing=Signing(key)) as served:
        for service in ("risk", "training"):
            for n in range(EVENTS):
                await served.append(service, f"risk-{n % 2}", CLOSED)
            await served.settled()
            await until(partial(is_signed, served, service), "the head is signed")
        async with listening(parent_app(served.apps)) as server:
            owner_url = served.host._databases["risk"].owner_url
            yield Verifying(served, server.url, folder, owner_url, key).into(folder)


@pytest.fixture(scope="module")
async def shared(postgres: TemporaryPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Verifying]:
    async with signed(postgres, tmp_path_factory.mktemp("shared")) as verifying:
        yield verifying


@pytest.fixture
def verifying(shared: Verifying, tmp_path: Path) -> Verifying:
    """With a folder of the spec's own; the logs are for all specs that leave them as they are."""
    return shared.into(tmp_path)


@pytest.fixture
async def alone(postgres: TemporaryPostgres, tmp_path: Path) -> AsyncIterator[Verifying]:
    """For a spec that changes the logs."""
    async with signed(postgres, tmp_path) as verifying:
        yield verifying


async def is_signed(served: Served, service: str) -> bool:
    async with served.runtime(service).engine.connect() as connection:
        return bool((await connection.execute(text("SELECT count(*) FROM log.signed_heads"))).scalar_one())


async def test_logs_that_nobody_touched_are_what_was_sealed(verifying: Verifying) -> None:
    said = await verifying.verify(expect=0)
    assert "risk: 6 events in" in said["risk"]
    assert "signed up to" in said["risk"]


async def test_the_key_and_the_heads_of_an_edition_do_not_judge_the_logs_of_another(verifying: Verifying) -> None:
    other = DataDirectory(verifying.folder)
    other.announce("http://127.0.0.1:1", "of another edition")
    other.log_key.write_text(json.dumps(LogKey.generate().public()))
    other.heads.mkdir(exist_ok=True)
    (other.heads / "risk.jsonl").write_text("of another log")
    said = await verifying.verify(expect=0)
    assert said["risk"].endswith("no signature checked")
    other.announce(verifying.url, "of this edition")
    (other.heads / "risk.jsonl").unlink()
    assert "signed by a key that was not given" in (await verifying.verify())["risk"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("overlay(data PLACING '\"'::bytea FROM 4)", id="quote"),
        pytest.param("overlay(data PLACING '\\x0a'::bytea FROM 20)", id="newline"),
        pytest.param("overlay(data PLACING '\\x00'::bytea FROM 20)", id="zero"),
        pytest.param("overlay(data PLACING '}'::bytea FROM 1)", id="brace"),
    ],
)
async def test_a_byte_that_breaks_json_is_named_with_its_event_and_the_other_logs_are_verified(
    verifying: Verifying, value: str
) -> None:
    async with verifying.altered(value, 3):
        said = await verifying.verify()
    assert said["risk"].startswith("✗ risk: the event at position 3 (steerco.risk.risk-closed, version 2 of risk-0,")
    assert "is not what was sealed" in said["risk"]
    assert said["training"].startswith("✓ training: 6 events")


async def test_an_export_of_it_names_it_too(verifying: Verifying) -> None:
    folder = verifying.folder / "export"
    async with verifying.altered("overlay(data PLACING '\\x0a'::bytea FROM 20)", 3):
        await verifying.steerco("log", "export", str(folder), "--service", "risk", expect=0)
    assert "✗ risk: the event at position 3 " in await verifying.steerco("verify", str(folder), expect=1)


async def test_a_file_with_a_line_that_is_none_fails_and_the_others_are_verified(verifying: Verifying) -> None:
    folder = verifying.folder / "export"
    services = ("--service", "risk", "--service", "training")
    await verifying.steerco("log", "export", str(folder), *services, expect=0)
    file = folder / "risk.log.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"data":{', b'"data":{{', 1))
    printed = await verifying.steerco("verify", str(folder), expect=1)
    assert "✗ risk: " in printed
    assert "is none of an archive" in printed
    assert "✓ training: 6 events" in printed


async def test_a_log_that_was_sealed_anew_without_signatures_is_no_evidence(alone: Verifying) -> None:
    await alone.alter("overlay(data PLACING '1'::bytea FROM 20)", 3)
    async with alone.owner() as tx:
        await tx.execute(text("UPDATE log.seals SET sealed_at = sealed_at - interval '1 day'"))
        await tx.execute(text("TRUNCATE log.signed_heads"))
    await alone.seal_anew()
    said = await alone.verify()
    assert said["risk"].startswith("✗ risk: nothing of it is signed by a key that was given")
    assert said["training"].startswith("✓")


async def test_a_log_that_was_signed_by_another_key_is_no_evidence_unless_that_key_is_given(
    verifying: Verifying,
) -> None:
    ours = verifying.folder / "log-key.json"
    other = verifying.folder / "other.json"
    other.write_text(json.dumps(LogKey.generate().public()))
    said = await verifying.verify("--key", str(other))
    assert "of its heads are signed by a key that was not given, the first at position" in said["risk"]
    assert said["training"].startswith("✗")
    await verifying.verify("--key", str(other), "--key", str(ours), expect=0)


async def test_the_key_of_an_edition_that_a_log_was_taken_over_from_is_known(verifying: Verifying) -> None:
    ours = verifying.folder / "log-key.json"
    ours.rename(verifying.folder / "earlier-log-keys.json")
    ours.write_text(json.dumps(LogKey.generate().public()))
    await verifying.verify(expect=0)


@pytest.mark.parametrize(("kept", "said_of_lost"), [(6, True), (2500, False)])
async def test_signed_heads_that_a_restore_is_said_to_have_lost_are_told(
    alone: Verifying, kept: int, said_of_lost: bool
) -> None:
    query = "INSERT INTO log.generations SELECT 2, :kept, system_identifier, timeline_id FROM log.generations"
    async with alone.owner() as tx:
        await tx.execute(text(query), {"kept": kept})
    for position in (7, 2500):
        head = SignedHead("risk", 1, position, START, SystemClock().now(), "key", b"")
        HeadsFile(alone.folder / "heads" / "risk.jsonl").append(head)
    said = await alone.verify(expect=0 if said_of_lost else 1)
    assert said["risk"].endswith("; 2 signed heads up to 2,500 are of before a restore") == said_of_lost
    assert "restore" not in said["training"]


async def test_a_slice_that_was_exported_before_its_first_signature_is_still_evidence_a_day_later(
    alone: Verifying,
) -> None:
    folder = alone.folder / "export"
    await alone.served.append("risk", "risk-0", CLOSED)
    await alone.served.settled()
    part = ("--service", "risk", "--after", "6")
    await alone.steerco("log", "export", str(folder), *part, expect=0)
    (archive,) = archives_in(folder)
    verified = verify(archive.lines(), read_keys(folder / KEY))
    assert (verified.position, verified.signatures, verified.signed_up_to) == (7, 1, verified.beginning.after)
    assert verified.doubt(SystemClock().now() + timedelta(days=1)) is None


@pytest.mark.parametrize("is_local", [True, False])
async def test_keys_of_earlier_logs_are_beside_an_export_of_the_local_edition_only(
    verifying: Verifying, is_local: bool
) -> None:
    earlier = PublicLogKey.of(LogKey.generate().public())
    directory = DataDirectory(verifying.folder)
    write_keys(directory.earlier_log_keys, [earlier])
    directory.announce(verifying.url if is_local else "http://127.0.0.1:1", "token")
    folder = verifying.folder / "export"
    await verifying.steerco("log", "export", str(folder), "--service", "risk", expect=0)
    beside = [key.key_id for key in read_keys(folder / KEY)]
    assert (len(beside), earlier.key_id in beside) == ((2, True) if is_local else (1, False))


async def test_of_a_slice_is_said_what_it_does_not_show(verifying: Verifying) -> None:
    folder = verifying.folder / "export"
    part = ("--service", "risk", "--subject", "risk-0")
    await verifying.steerco("log", "export", str(folder), *part, expect=0)
    printed = await verifying.steerco("verify", str(folder), expect=0)
    assert printed.startswith("✓ risk: 3 events in")
    assert "a part of the log: risk-0 version 1 to 3, none missing in between" in printed
    assert "whether others came after is not shown" in printed
