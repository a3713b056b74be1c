"""The one-process edition as its user meets it: starts, stops, crashes, wrong use."""

import asyncio
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx

from steerco.edition.directory import DataDirectory
from steerco_events.ids import new_id
from steerco_events.positions import partition_of
from steerco_events.postgres.wakeups import asyncpg_dsn
from steerco_servers.postgres import start_postgres
from tests.distributed.collected import collector
from tests.editions.running import RunningEdition, free_port, remove, start, steerco


def failed(*arguments: str, **environment: str) -> str:
    """What a command that fails says."""
    done = subprocess.run(
        steerco(*arguments), env=os.environ | environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def test_a_start_shows_three_scopes_the_proof_and_commands_to_paste(example: RunningEdition) -> None:
    said = example.said
    for expected in ("enterprise", "business unit", "department", "month ends", "ready at", "stop with Ctrl-C"):
        assert expected in said
    assert "NOT equal" not in said
    assert said.count("steerco show portfolio") >= 3


def test_the_run_file_is_private(example: RunningEdition) -> None:
    assert stat.S_IMODE((example.data_dir / "run.json").stat().st_mode) == 0o600


def test_a_port_in_use_is_one_clear_line(example: RunningEdition, tmp_path: Path) -> None:
    port = httpx.URL(example.run["url"]).port
    said = failed("up", "--empty", "--data-dir", str(tmp_path / "other"), "--port", str(port))
    assert said.count("\n") == 0
    assert f"port {port} is in use" in said


def test_a_data_directory_in_use_is_one_clear_line(example: RunningEdition) -> None:
    said = failed("up", "--data-dir", str(example.data_dir), "--port", str(free_port()))
    assert said.count("\n") == 0
    assert "in use" in said


def test_an_empty_edition_is_not_made_of_the_example(example: RunningEdition) -> None:
    assert "--data-dir" in failed("up", "--empty", "--data-dir", str(example.data_dir), "--port", str(free_port()))


def test_without_an_edition_a_command_says_how_to_start_one(tmp_path: Path) -> None:
    said = failed("show", "portfolio", "--scope", "enterprise", XDG_DATA_HOME=str(tmp_path), HOME=str(tmp_path))
    assert "steerco up" in said


def test_the_data_is_kept_however_it_ends(tmp_path: Path) -> None:
    """Ctrl-C, also where it is ignored as in the background of a shell that is not interactive; told to end; killed."""
    data = tmp_path / "data"
    try:
        opened = {"code": "COM", "name": "Commission", "kind": "enterprise"}
        with started(data) as edition:
            answer = httpx.post(f"{edition.run['url']}/portfolio/units", json=opened, headers=bearer(edition))
            assert answer.status_code == 201
            ended_well(edition, signal.SIGINT)
        with ignoring(signal.SIGINT), started(data) as edition:
            assert codes(edition) == ["COM"]
            ended_well(edition, signal.SIGTERM)
        with started(data) as edition:
            assert codes(edition) == ["COM"]
            edition.stop(signal.SIGKILL)
        with collector() as collected, started(data, OTEL_EXPORTER_OTLP_ENDPOINT=collected.url) as edition:
            assert codes(edition) == ["COM"]
            last = httpx.get(edition.run["url"])
            ended_well(edition, signal.SIGTERM)
            assert last.headers["traceresponse"].split("-")[1] in {span.trace_id for span in collected.so_far}
    finally:
        remove(tmp_path)


@contextmanager
def started(data: Path, **told: str) -> Iterator[RunningEdition]:
    edition = start(data, "--empty", environment=told)
    try:
        yield edition
    finally:
        if edition.process.poll() is None:
            edition.stop()


@contextmanager
def ignoring(signalled: signal.Signals) -> Iterator[None]:
    """What is started inside ignores a signal, unless it says otherwise."""
    before = signal.signal(signalled, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signalled, before)


def ended_well(edition: RunningEdition, by: signal.Signals) -> None:
    edition.stop(by)
    assert edition.process.returncode == 0
    assert edition.said.rstrip().endswith("stopped; the data stays")
    assert not (edition.data_dir / "run.json").exists()


def codes(edition: RunningEdition) -> list[str]:
    units = httpx.get(f"{edition.run['url']}/portfolio/units", headers=bearer(edition)).json()
    return [unit["code"] for unit in units]


def test_an_edition_whose_consumers_have_stopped_starts_all_the_same_for_who_can_see_to_it(tmp_path: Path) -> None:
    data, stream = tmp_path / "data", f"pitch-{new_id()}"

    try:
        with started(data):
            pass
        asyncio.run(put_in_by_something_else(DataDirectory(data), stream))
        with started(data, STEERCO_PARKED_LIMIT="0") as stopped:
            assert "not everything is digested; " in stopped.said
            assert stopped.steerco("log", "parked", "list") == "nothing is parked\n"
        with started(data) as parking:
            assert "not everything is digested" not in parking.said
            assert stream in parking.steerco("log", "parked", "list")
            parking.steerco("log", "export", str(tmp_path / "export"), expect=1)
            assert not (tmp_path / "export").exists(), "a reaction has something parked, which would be lost"
    finally:
        remove(tmp_path)


async def put_in_by_something_else(directory: DataDirectory, stream: str) -> None:
    """A pitch that is not what its contract says, in intake's log."""
    async with await start_postgres(directory.postgres) as server:
        connection = await asyncpg.connect(asyncpg_dsn(server.url(database="steerco_intake")))
        await connection.execute("INSERT INTO log.streams (stream, version) VALUES ($1, 1)", stream)
        await connection.execute(
            "INSERT INTO log.events (id, stream, stream_version, partition, type, schema_version, recorded_at, actor,"
            " actor_title, client, correlation_id, causation_id, org_units, data) VALUES ($1, $2, 1, $3,"
            " 'steerco.intake.pitch-submitted', 1, now(), $1, 'Somebody', 'else', $1, $1, '{}', 'no JSON')",
            new_id(),
            stream,
            partition_of(stream),
        )
        await connection.close()


def test_a_directory_that_cannot_be_used_is_one_clear_line() -> None:
    for command in ("up", "run-distributed"):
        said = failed(command, "--data-dir", "/sys", "--port", str(free_port()))
        assert said.count("\n") == 0
        assert "/sys can't be used" in said


def bearer(edition: RunningEdition) -> dict[str, str]:
    return {"Authorization": f"Bearer {edition.run['token']}"}


def test_every_service_serves_its_docs_from_itself(example: RunningEdition) -> None:
    services = httpx.get(example.run["url"]).json()
    assert set(services) == {"intake", "portfolio", "finance", "risk", "training", "reporting"}
    for service in services.values():
        page = httpx.get(example.run["url"] + service["docs"]).text
        assert "https://" not in page
        assets = [part.split('"')[0] for part in page.split('src="')[1:]]
        assert assets
        for asset in assets:
            assert httpx.get(example.run["url"] + asset).status_code == 200
