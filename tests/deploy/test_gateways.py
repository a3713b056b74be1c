"""Commands need of an edition what every gateway of it passes on: the services at their paths, and nothing at `/`."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send
from typer.testing import CliRunner

from steerco.cli import app
from steerco.doctor.findings import UNITS
from steerco.edition.services import BY_NAME
from steerco_events.clock import SystemClock
from steerco_service.testkit.listening import listening
from steerco_service.testkit.serving import TESTER, Served
from tests.deploy.compose import ROOT
from tests.deploy.manifests import of_kind

type Ask = Callable[..., Awaitable[tuple[int, Any]]]


def compose() -> set[str]:
    """The services that compose's gateway has a path for."""
    routes = yaml.safe_load((ROOT / "deploy" / "compose" / "gateway" / "routes.yaml").read_text())["http"]["routers"]
    rules = [re.fullmatch(r"PathPrefix\(`/(\w+)/?`\)", each["rule"]) for each in routes.values()]
    return {found[1] for found in rules if found} & BY_NAME.keys()


def kubernetes(overlay: str) -> set[str]:
    """Those that the Ingress of an overlay has one for."""
    rules = [rule for each in of_kind(overlay, "Ingress") for rule in each["spec"]["rules"]]
    return {path["path"].removeprefix("/") for rule in rules for path in rule["http"]["paths"]}


def gateway(apps: Mapping[str, ASGIApp]) -> Starlette:
    """What passes on these paths; to all others it answers by itself, in plain text."""

    async def not_found(request: object, error: object) -> Response:
        return PlainTextResponse("404 page not found", 404)

    mounts = [Mount(f"/{name}", app) for name, app in apps.items()]
    return Starlette(routes=mounts, exception_handlers={404: not_found})


def always(status: int, body: str) -> ASGIApp:
    """What a gateway says where a service does not answer: a page, and not what it is of."""

    async def by_itself(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(body, status)(scope, receive, send)

    return by_itself


@pytest.fixture
def ask(served: Served, tmp_path: Path) -> Ask:
    """Run a command by way of a gateway; its exit status and what it said as JSON."""

    async def asked(apps: Mapping[str, ASGIApp], *arguments: str) -> tuple[int, Any]:
        async with listening(gateway(apps)) as server:
            token = served.issuer.token(TESTER, SystemClock().now(), timedelta(hours=1))
            told = {"STEERCO_URL": server.url, "STEERCO_TOKEN": token, "STEERCO_DATA_DIR": str(tmp_path / "none")}
            done = await asyncio.to_thread(CliRunner().invoke, app, [*arguments, "--format", "json"], env=told)
        return done.exit_code, json.loads(done.output)

    return asked


async def test_by_a_gateway_commands_know_every_service(served: Served, ask: Ask) -> None:
    paths = compose()
    assert paths == kubernetes("production") == kubernetes("dev")
    apps = {name: served.apps[name] for name in paths}
    assert await ask(apps, "log", "parked", "list") == (0, [])
    _, found = await ask(apps, "doctor")
    subjects = {each["subject"]: each["grade"] for each in found}
    assert subjects["clocks"] == subjects["releases"] == "fine"
    assert {name: subjects[name] for name in BY_NAME} == dict.fromkeys(BY_NAME, "fine")
    assert {f"log of {name}" for name, each in BY_NAME.items() if each.owns_log} <= subjects.keys()
    assert not [each for each in found if each["then"] == UNITS]


async def test_by_the_gateway_of_a_unit_they_know_reporting(served: Served, ask: Ask) -> None:
    apps = {name: served.apps[name] for name in kubernetes("unit")}
    assert list(apps) == ["reporting"]
    assert await ask(apps, "log", "parked", "list") == (0, [])
    code, found = await ask(apps, "doctor")
    assert (code, [each["then"] for each in found if each["grade"] != "fine"]) == (0, [UNITS])


@pytest.mark.parametrize(
    "answers",
    [always(502, "<html>Bad Gateway</html>"), always(200, "<html>Log in</html>"), always(200, '{"ready": "perhaps"}')],
    ids=["bad gateway", "a page", "what nobody knows"],
)
async def test_what_a_gateway_answers_by_itself_is_a_finding_and_the_rest_is_looked_at(
    answers: ASGIApp, served: Served, ask: Ask
) -> None:
    code, found = await ask({**served.apps, "finance": answers}, "doctor")
    failing = {each["subject"] for each in found if each["grade"] == "failing"}
    assert (code, failing) == (1, {"finance", "log of finance"})
    assert {"log of risk", "reporting"} <= {each["subject"] for each in found if each["grade"] == "fine"}


async def test_an_address_without_any_service_is_said_to_be_none(ask: Ask) -> None:
    code, found = await ask({}, "doctor")
    (failing,) = [each for each in found if each["grade"] == "failing"]
    assert (code, failing["subject"]) == (1, "edition")
    assert "there is no service at http://127.0.0.1:" in failing["said"]
