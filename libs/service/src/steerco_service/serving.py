"""One process of a service, as it is started: `python -m steerco_finance api`, told by its environment."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

from steerco_events.contracts.catalog import CATALOG
from steerco_events.postgres.faults import DATABASE_FAULTS, is_unavailable
from steerco_service.log_lines import install_logging
from steerco_service.migrating import MigrationSettings, migrate_service
from steerco_service.migrations import MigrationGaveWay, RestoreCutOff
from steerco_service.process import Process
from steerco_service.runtime import Service
from steerco_service.settings import ServiceSettings
from steerco_service.telemetry import TelemetrySettings
from steerco_service.variables import variable_of

type Role = Literal["api", "worker", "migrate"]

ROLES: Mapping[Role, str] = {
    "api": "answers requests",
    "worker": "seals and publishes the log, builds views, reacts, keeps time",
    "migrate": "brings the databases up to date, and ends",
}

NEEDED: Mapping[Role, Sequence[str]] = {"api": [], "worker": ["kafka"], "migrate": []}
"""The settings that a role does not start without, beside those that have no default."""

NEEDED_FOR_KEYS: Mapping[Role, Sequence[str]] = {
    "api": ["keys_url"],
    "worker": ["keys_url"],
    "migrate": ["keys_owner_url"],
}
"""Those beside, of the service that keeps the keys of people's records."""


def settings_of(role: Role) -> type[MigrationSettings] | type[ServiceSettings]:
    """What a role is told."""
    return MigrationSettings if role == "migrate" else ServiceSettings


class NotServed(Exception):
    """A process can't start; the text says why in one line, and repeats no secret."""


def serve(service: Service, arguments: Sequence[str] | None = None) -> None:
    """Run the service in the role that the command line names, until a signal ends it. Leaves with 1 if it can't."""
    name = f"steerco-{service.name}"
    parser = argparse.ArgumentParser(
        name,
        description=f"{service.title}: {service.description} Settings come from STEERCO_* variables.",
        epilog="; ".join(f"{role}: {does}" for role, does in ROLES.items()),
    )
    parser.add_argument("role", choices=get_args(Role.__value__))
    role: Role = parser.parse_args(arguments).role
    try:
        _run(service, role, needed_by(service, role))
    except NotServed as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def needed_by(service: Service, role: Role) -> Sequence[str]:
    """The settings without which a service does not start in a role, beside those that have no default."""
    return [*NEEDED[role], *(NEEDED_FOR_KEYS[role] if service.keeps_keys else ())]


def _run(service: Service, role: Role, needed: Sequence[str]) -> None:
    match role:
        case "migrate":
            owners = told(MigrationSettings, role, needed)
            install_logging(told(TelemetrySettings, role).log_format, service.name, role)
            try:
                asyncio.run(migrate_service(service, owners))
            except (MigrationGaveWay, RestoreCutOff) as error:
                raise NotServed(f"the database of {service.name} is not migrated: {error}") from error
            except DATABASE_FAULTS as error:
                if not is_unavailable(error):
                    raise
                said = _first_line(error)
                raise NotServed(f"the database of {service.name} can't be reached: {said}") from error
        case "api":
            until_stopped(_process(service, role, needed).serve_api())
        case "worker":
            until_stopped(_process(service, role, needed).serve_worker())


def _process(service: Service, role: Role, needed: Sequence[str]) -> Process:
    settings = told(ServiceSettings, role, needed)
    if settings.source and service.owns_log:
        raise NotServed(f"STEERCO_SCOPE is for a service that is built from others' logs alone, not for {service.name}")
    install_logging(settings.log_format, service.name, role)
    return Process(service, settings, CATALOG)


def until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, or until Ctrl-C or SIGTERM, which cancel it: what it opened is closed."""

    async def stoppable() -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()

        def stop(*_: object) -> None:
            if task and not (task.done() or task.cancelling()):
                task.cancel()
                loop.call_soon_threadsafe(lambda: None)

        signal.signal(signal.SIGTERM, stop)
        await work

    with suppress(asyncio.CancelledError, KeyboardInterrupt):
        asyncio.run(stoppable())


def told[S: BaseSettings](settings: type[S], command: str, needed: Sequence[str] = ()) -> S:
    """What the environment says to a command. Raises `NotServed`, which names all that is missing or wrong."""
    try:
        found = settings()
        needed = [each for each in needed if each not in getattr(found, "not_needed", ())]
        faults = [variable_of(settings, each) for each in needed if not getattr(found, each)]
    except SettingsError as error:
        faults = [str(error.__cause__)]
    except ValidationError as error:
        faults = [_fault(settings, each) for each in error.errors()]
    if faults:
        raise NotServed(f"{command} is told by its environment; missing or wrong: {', '.join(faults)}")
    return found


def _fault(settings: type[BaseSettings], error: ErrorDetails) -> str:
    said = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return said
    variable = variable_of(settings, str(error["loc"][0]))
    return variable if error["type"] == "missing" else f"{variable} ({said})"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
