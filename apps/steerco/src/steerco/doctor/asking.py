"""What the services of an edition answer about themselves."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import httpx
import msgspec

from steerco.client import Client, CommandFailed, address
from steerco.doctor import findings
from steerco.doctor.answers import Log, Readiness, View
from steerco.doctor.findings import Finding
from steerco.edition.directory import DataDirectory
from steerco.views import EVERY_SERVICE, VIEWS
from steerco_events.clock import SystemClock
from steerco_events.contracts.catalog import LOGS

SECONDS = 15.0
READ_WITHIN_SECONDS = 10.0
"""So long reactions may take to read what the logs had when they were asked."""

POLL_SECONDS = 0.2


def ask_the_edition() -> Iterator[Finding]:
    """Every check that needs no more than the edition's address and a token. What can't be asked is a finding, too."""
    try:
        at = address()
        with httpx.Client(base_url=at.url, headers=at.headers, timeout=SECONDS) as http:
            client = Client(at, http)
            services = client.services()
            yield Finding("fine", "edition", f"answers at {at.url}")
            yield from findings.clocks(client.clock(services[0]), SystemClock().now())
            yield from _services(client, http, services)
    except CommandFailed as failure:
        yield Finding("failing", "edition", str(failure), "steerco up")
    except httpx.TransportError as error:
        yield Finding("failing", "edition", f"broke off: {type(error).__name__}", "steerco doctor")


def ask_the_workers(directory: DataDirectory) -> Iterator[Finding]:
    """What the workers of a local edition say, where they are processes of their own."""
    for process, url in directory.announced_operations().items():
        if process.endswith(" worker"):
            try:
                answer = httpx.get(f"{url}/readyz", timeout=SECONDS)
            except httpx.TransportError as error:
                yield from findings.readiness(process, Readiness(detail=f"does not answer: {type(error).__name__}"))
            else:
                yield from _readiness(process, answer)


def _services(client: Client, http: httpx.Client, services: Sequence[str]) -> Iterator[Finding]:
    yield from findings.parts(services, EVERY_SERVICE)
    logs: dict[str, Log] = {}
    releases: dict[str, str] = {}
    for service in services:
        yield from _readiness(service, http.get(f"/{service}/readyz"))
        match _json(http.get(f"/{service}/openapi.json")):
            case {"info": {"version": str(release)}}:
                releases[service] = release
    yield from findings.releases(version("steerco"), releases)
    for service in (each for each in LOGS if each in services):
        try:
            logs[service] = _log(client, service)
        except CommandFailed as failure:
            yield findings.silent(f"log of {service}", str(failure))
    now, deadline = client.clock(services[0]) or SystemClock().now(), time.monotonic() + READ_WITHIN_SECONDS
    for log in logs.values():
        yield from findings.sealing(log, now)
        yield from findings.signing(log)
        yield from findings.relaying(log)
        yield from findings.reacting(_once_read(client, log, logs, deadline), logs)
    for view, service in VIEWS.items():
        if service in services:
            try:
                of = _read(client.get(f"/{service}/views/{view}"), View)
            except CommandFailed as failure:
                yield findings.silent(view, str(failure))
            else:
                yield from findings.viewing(service, of, logs)


def _readiness(process: str, answer: httpx.Response) -> Iterator[Finding]:
    match _json(answer):
        case {"ready": _} | {"detail": _} as told:
            try:
                yield from findings.readiness(process, _read(told, Readiness))
            except CommandFailed as failure:
                yield findings.silent(process, str(failure))
        case _:
            said = f"GET {answer.url.path} was answered with {answer.status_code}, and not by the service"
            yield findings.silent(process, said)


def _json(answer: httpx.Response) -> Any:
    """What is in an answer, also of a gateway; `None` if that is no JSON."""
    try:
        return answer.json()
    except ValueError:
        return None


def _read[Answer](told: Any, answer: type[Answer]) -> Answer:
    """What is told as what it has to be. Raises `CommandFailed`."""
    try:
        return msgspec.convert(told, answer)
    except msgspec.ValidationError as error:
        raise CommandFailed(f"it is of a release that this command does not know: {error}") from None


def _log(client: Client, service: str) -> Log:
    return _read(client.get(f"/{service}/log"), Log)


def _once_read(client: Client, of: Log, logs: Mapping[str, Log], deadline: float) -> Log:
    """How far a service has come once its reactions have read what the logs had, or when time is up."""
    with suppress(CommandFailed):
        while findings.is_behind(of, logs) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            of = _log(client, of.service)
    return of
