"""Neither the password of a database nor a token comes into a log or an answer, whatever fails."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from steerco_events.clock import SystemClock
from steerco_servers.child import clean_environment, free_port
from steerco_servers.testing import TemporaryPostgres
from steerco_service.identity.issuer import Issuer
from steerco_service.testkit.serving import TESTER

PASSWORD = "correct-horse-battery"

PROGRAM = """
import asyncio
from steerco_events.contracts.catalog import CATALOG
from steerco_service.process import Process
from steerco_service.settings import ServiceSettings
from steerco_service.testkit.serving import log_only

asyncio.run(Process(log_only("risk"), ServiceSettings(), CATALOG).serve_ROLE())
"""


@pytest.fixture(params=["no server", "no such password"])
async def gone(request: pytest.FixtureRequest, postgres: TemporaryPostgres) -> AsyncIterator[str]:
    """The URL of a database that does not let anybody in."""
    async with postgres.databases("risk") as databases:
        url = make_url(databases["risk"].app_url).set(password=PASSWORD)
        if request.param == "no server":
            url = url.set(query={}, host="127.0.0.1", port=1)
        yield url.render_as_string(hide_password=False)


class Running:
    """A process, and all that it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.printed = ""
        self._process = process
        self._failed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout
        async for line in self._process.stdout:
            self.printed += line.decode()
            if b"Error" in line:
                self._failed.set()

    async def fails(self) -> None:
        await asyncio.wait_for(self._failed.wait(), 60)

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self._process.wait(), 60)
        await self._reading


@asynccontextmanager
async def running(role: str, url: str, issuer: Issuer, directory: Path, port: int) -> AsyncIterator[Running]:
    key, secret = directory / "issuer.json", directory / "database-url"
    key.write_text(json.dumps(issuer.public()))
    secret.write_text(url)
    environment = clean_environment(
        STEERCO_DATABASE_URL_FILE=str(secret),
        STEERCO_KAFKA="127.0.0.1:1",
        STEERCO_ISSUER_KEY=str(key),
        STEERCO_PORT=str(port),
        STEERCO_OPERATIONS_PORT="0",
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM.replace("ROLE", role)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    found = Running(process)
    try:
        yield found
    finally:
        await found.stop()


async def answered(client: httpx.AsyncClient, token: str) -> str:
    """What comes of many requests with a token, once the API listens."""
    headers = {"Authorization": f"Bearer {token}"}
    async with asyncio.timeout(60):
        while True:
            try:
                found = [await client.get("/readyz")]
                break
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    for path in ("/log", "/views/risk", "/events", "/log/archive", f"/nothing?token={'x' * 10}"):
        found.append(await client.get(path, headers=headers))
    found.append(await client.post("/batch", headers=headers, json={"commands": [{"path": "/things"}]}))
    found.append(await client.post("/batch", headers=headers | {"Content-Type": "application/json"}, content=b"{"))
    assert {answer.status_code for answer in found} <= {200, 400, 401, 403, 404, 503}
    return "".join(f"{answer.headers}{answer.text}" for answer in found)


async def test_an_api_tells_neither_password_nor_token(gone: str, tmp_path: Path) -> None:
    issuer, port, now = Issuer.generate(), free_port(), SystemClock().now()
    tokens = {
        "good": issuer.token(TESTER, now, timedelta(hours=1)),
        "expired": issuer.token(TESTER, now - timedelta(hours=2), timedelta(hours=1)),
        "of another issuer": Issuer.generate().token(TESTER, now, timedelta(hours=1)),
    }
    async with (
        running("api", gone, issuer, tmp_path, port) as api,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        answers = "".join([await answered(client, token) for token in tokens.values()])
        await api.fails()
    assert PASSWORD not in answers + api.printed
    for token in tokens.values():
        assert not any(part in answers + api.printed for part in token.split(".")[1:])


async def test_a_worker_tells_no_password(gone: str, tmp_path: Path) -> None:
    async with running("worker", gone, Issuer.generate(), tmp_path, 0) as worker:
        await worker.fails()
    assert PASSWORD not in worker.printed
