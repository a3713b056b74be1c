"""Commands from many writers at once, by a seed; and a ledger of what became of each, as far as they were told.

Each command has an Idempotency-Key and is sent again with it after an unclear answer; but some writers wait for a short
time and send once: nobody was told what became of what they gave up. The key also goes into the log, as the reason of
what came of the command: so every event tells which command it came from.

Now and then a writer asks reporting at once for what it was told is done, with the token of the answer.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, Literal, NamedTuple
from uuid import UUID

import httpx

from steerco_events.ids import derived_id
from tests.faults.cluster import LOGS, Cluster

WRITERS = 6
HASTY_WRITERS = 2
LOOKS_AFTER = 0.3
"""The share of changes after which reporting is asked for them."""

LOOK_SECONDS = 8.0
"""It waits for 5 seconds itself."""


class Patience(NamedTuple):
    """For how many seconds a writer tries a command again, and for how many it waits for an answer."""

    tries: float
    waits: float


PATIENT = Patience(tries=6.0, waits=3.0)
HASTY = Patience(tries=0.0, waits=0.5)
"""Sends a command once."""

type Outcome = Literal["acknowledged", "refused", "unclear"]


@dataclass(slots=True)
class Sent:
    """One command: whose, and what its sender knows of it."""

    service: str
    outcome: Outcome = "unclear"
    token: str = ""


class Load:
    """Writers over the APIs of intake and portfolio."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self.ledger: dict[str, Sent] = {}
        self.answers: Counter[str] = Counter()
        self.looks: Counter[str] = Counter()
        self.stale: list[str] = []
        self._cluster = cluster
        self._seed = seed
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._units: list[str] = []
        self._projects: list[UUID] = []
        self._stopping = False

    def count(self, outcome: Outcome) -> int:
        """How many commands have come to that so far."""
        return sum(sent.outcome == outcome for sent in self.ledger.values())

    async def prepare(self) -> None:
        """Open an organization with some departments."""
        self._clients = {service: self._cluster.client(service) for service in LOGS}
        self._clients["reporting"] = self._cluster.client("reporting", timeout=LOOK_SECONDS)
        root = await self._unit("COM", "enterprise", None)
        business = await self._unit("LIC", "business_unit", root)
        self._units = [await self._unit(f"LIC-{n}", "department", business) for n in range(6)]

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()

    async def _unit(self, code: str, kind: str, parent: str | None) -> str:
        body = {"code": code, "name": f"Unit {code}", "kind": kind, "parent_id": parent}
        answer = await self.send("portfolio", "POST", "/units", body, f"open {code}", PATIENT)
        assert answer is not None, f"the unit {code} was not opened: {self.answers}"
        opened: str = answer["id"]
        return opened

    @asynccontextmanager
    async def running(self, number: int) -> AsyncIterator[None]:
        """Inside, the writers write. `number` is that of the round; each has commands of its own."""
        self._stopping = False
        writers = [asyncio.create_task(self._write(number, writer)) for writer in range(WRITERS)]
        try:
            yield
        finally:
            self._stopping = True
            await asyncio.gather(*writers)

    async def _write(self, number: int, writer: int) -> None:
        random, n = Random(f"{self._seed} {number} {writer}"), 0
        patience = HASTY if writer < HASTY_WRITERS else PATIENT
        while not self._stopping:
            n += 1
            key = f"{number}.{writer}.{n}"
            match random.choice(("pitch", "pitch", "pitch", "unit", "project", "project")):
                case "pitch":
                    await self._pitch(key, random, patience)
                case "unit":
                    unit = random.choice(self._units)
                    await self.send("portfolio", "PUT", f"/units/{unit}/name", {"name": f"Unit {key}"}, key, patience)
                case _ if self._projects:
                    project = random.choice(self._projects)
                    path = f"/projects/{project}/title"
                    done = await self.send("portfolio", "PUT", path, {"title": f"Project {key}"}, key, patience)
                    if done is not None and random.random() < LOOKS_AFTER:
                        await self._look(project, key)
            await asyncio.sleep(random.uniform(0, 0.05))

    async def _pitch(self, key: str, random: Random, patience: Patience) -> None:
        """From the idea to the decision, step by step; given up where a step stays unclear."""
        body = {
            "title": f"Pitch {key}",
            "unit_id": random.choice(self._units),
            "project_code": f"P-{key}",
            "currency": "EUR",
            "fields": {"problem": "Paper", "outcome": "None", "sponsor": "Director"},
        }
        submitted = await self.send("intake", "POST", "/pitches", body, f"{key} submit", patience)
        if submitted is None:
            return
        path = f"/pitches/{submitted['id']}"
        if await self.send("intake", "POST", f"{path}/screening", {"note": key}, f"{key} screen", patience) is None:
            return
        outcome = random.choice(("approved", "approved", "approved", "rejected"))
        decision = {"outcome": outcome, "reason": f"{key} decide"}
        if await self.send("intake", "POST", f"{path}/decision", decision, f"{key} decide", patience) is None:
            return
        if outcome == "approved":
            self._projects.append(derived_id("project", submitted["id"]))

    async def _look(self, project: UUID, key: str) -> None:
        """Ask for a project's story with a command's token: it is in it, or the answer says that it can't be yet."""
        headers = {"Consistency-Token": self.ledger[key].token}
        try:
            answer = await self._clients["reporting"].get(f"/stories/{project}", headers=headers)
        except httpx.TransportError as error:
            self.looks[type(error).__name__] += 1
            return
        self.looks[f"{answer.status_code}"] += 1
        if answer.status_code not in (200, 409, 503):
            self.stale.append(f"reporting answered {answer.status_code} to the token of {key!r}: {answer.text}")
        elif answer.status_code == 200 and key not in [line["why"] for line in answer.json()["lines"]]:
            self.stale.append(f"reporting answered without {key!r} though it was asked with its token")

    async def send(
        self,
        service: str,
        method: str,
        path: str,
        body: Mapping[str, Any],
        key: str,
        patience: Patience,
    ) -> Mapping[str, Any] | None:
        """Send a command until its answer is clear or patience ends; its body, `None` if it was not accepted."""
        sent = self.ledger.setdefault(key, Sent(service))
        headers = {"Idempotency-Key": key.replace(" ", "-"), "Reason": key.replace(" ", "%20")}
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience.tries
        while True:
            try:
                client = self._clients[service]
                answer = await client.request(method, path, json=body, headers=headers, timeout=patience.waits)
            except httpx.TransportError as error:
                self.answers[type(error).__name__] += 1
            else:
                self.answers[f"{answer.status_code}"] += 1
                if answer.is_success:
                    sent.outcome, sent.token = "acknowledged", answer.headers["Consistency-Token"]
                    return answer.json() if answer.content else {}
                if answer.is_client_error:
                    sent.outcome = "refused"
                    return None
            if loop.time() >= deadline:
                return None
            await asyncio.sleep(0.2)
