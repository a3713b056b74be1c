"""What the services of an edition answer about themselves."""

from collections.abc import Iterator

import httpx

from steerco.client import Client, CommandFailed, address
from steerco.commands.rebuild import VIEWS
from steerco.doctor import findings
from steerco.doctor.findings import Finding
from steerco.edition.directory import DataDirectory
from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import LOGS

SECONDS = 15.0


def ask_the_edition() -> Iterator[Finding]:
    """Every check that needs no more than the edition's address and a token. What can't be asked is a finding, too."""
    try:
        at = address()
        with httpx.Client(base_url=at.url, headers=at.headers, timeout=SECONDS) as http:
            client = Client(at, http)
            theirs = client.clock()
            yield Finding("fine", "edition", f"answers at {at.url}")
            yield from findings.clocks(theirs, SystemClock().now())
            yield from _services(client, http)
    except CommandFailed as failure:
        yield Finding("failing", "edition", str(failure), "steerco up")
    except httpx.TransportError as error:
        yield Finding("failing", "edition", f"broke off: {type(error).__name__}", "steerco doctor")


def ask_the_workers(directory: DataDirectory) -> Iterator[Finding]:
    """What the workers of a local edition say, where they are processes of their own."""
    for process, url in directory.announced_operations().items():
        if process.endswith(" worker"):
            try:
                answer = httpx.get(f"{url}/readyz", timeout=SECONDS).json()
            except (httpx.TransportError, ValueError) as error:
                answer = {"detail": f"does not answer: {type(error).__name__}"}
            yield from findings.readiness(process, answer)


def _services(client: Client, http: httpx.Client) -> Iterator[Finding]:
    services: list[str] = list(client.get("/"))
    logs = {}
    for service in services:
        answer = http.get(f"/{service}/readyz")
        yield from findings.readiness(service, answer.json() if "json" in answer.headers["Content-Type"] else {})
    for service in LOGS:
        try:
            logs[service] = client.get(f"/{service}/log")
        except CommandFailed as failure:
            yield Finding("failing", f"log of {service}", str(failure), f"start {service}'s API")
    now = SystemClock().now()
    for state in logs.values():
        yield from findings.sealing(state, now)
        yield from findings.signing(state)
        yield from findings.relaying(state)
        yield from findings.reacting(state, logs)
    for view, service in VIEWS.items():
        if service in services:
            try:
                state = client.get(f"/{service}/views/{view}")
            except CommandFailed as failure:
                yield Finding("failing", view, str(failure), f"start {service}'s API")
            else:
                yield from findings.viewing(service, state, logs)
