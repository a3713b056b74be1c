"""`make compose-test`: where a container engine is present, everything comes up, is gone through, and is taken down.

An idea becomes a project with a budget and a risk that reporting shows, through the gateway, by who logged in at the
realm. It is no part of `make test`: images are fetched and built.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import httpx

from steerco.edition.services import SERVICES
from steerco_events.ids import derived_id
from steerco_servers.child import free_port
from steerco_servers.realm import ADMINISTRATOR, CLI
from tests.deploy.compose import ROOT, defaults
from tests.journeys.bodies import pitch, unit

PROJECT = "steerco-test"
UP_SECONDS = 1200
WITHIN_SECONDS = 120.0
LOOK_SECONDS = 1.0


class JourneyFailed(Exception):
    """Something is not as it has to be; the text says what."""


def main() -> None:
    """Leaves with 1 and one line where there is no engine, or where the journey fails."""
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        if why := _missing(command):
            sys.exit(f"compose-test needs a container engine with Compose; `{' '.join(command)}` says: {why}")
    ports = {name: str(free_port()) for name in ("PORT", "GRAFANA_PORT", "JAEGER_PORT", "PROMETHEUS_PORT")}
    told = {**os.environ, **defaults(), **ports, "EDGE": "10.201.78.0/24"}
    try:
        _compose(told, "config", "--quiet")
        _compose(told, "up", "--build", "--detach", "--wait", "--wait-timeout", str(UP_SECONDS))
        walk(f"http://localhost:{told['PORT']}", told["LOCAL_SECRET"])
        watched(f"http://localhost:{told['PROMETHEUS_PORT']}")
    except (subprocess.CalledProcessError, httpx.HTTPError, JourneyFailed) as error:
        with suppress(subprocess.CalledProcessError):
            _compose(told, "logs", "--tail", "40")
        sys.exit(f"compose-test: {error}")
    finally:
        _compose(told, "down", "--volumes", "--timeout", "40")
    print("compose-test: everything came up, was gone through and is gone")


def walk(url: str, secret: str) -> None:
    """The journey below a gateway. Raises `JourneyFailed`."""
    with httpx.Client(base_url=url, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {_token(client, secret)}"
        for service in ("intake", "portfolio", "finance", "risk", "training", "reporting"):
            _until(client, f"/{service}/readyz", lambda answer: bool(answer["ready"]))
        root = _sent(client, "/portfolio/units", unit("ENT", "enterprise"))
        opened = _sent(client, "/portfolio/units", unit("LIC", "business_unit", root.json()["id"]))
        pitched = _until_sent(client, "/intake/pitches", pitch(opened.json()["id"]))
        path = f"/intake/pitches/{pitched.json()['id']}"
        _sent(client, f"{path}/screening", {"note": "fit"})
        _sent(client, f"{path}/decision", {"outcome": "approved", "reason": "It pays back within two years"})
        project_id = str(derived_id("project", pitched.json()["id"]))
        project = f"/portfolio/projects/{project_id}"
        _until(client, project, lambda answer: answer.get("state") == "chartered")
        figure = {"money": {"amount": "1250.50", "currency": "EUR"}}
        budget = {"measure": "cost", "period": "whole_life", "figure": figure}
        _until_sent(client, f"/finance/projects/{project_id}/budget", budget, method="PUT")
        _until_sent(client, "/risk/risks", _risk(project_id))
        _until(client, "/reporting/register", lambda answer: project_id in str(answer))
        _until(client, "/finance/log", lambda answer: answer["signed"] is not None)


def watched(url: str) -> None:
    """Prometheus reaches every process, and spans of what was done came to the collector. Raises `JourneyFailed`."""
    processes = 2 * len(SERVICES)
    with httpx.Client(base_url=url, timeout=30) as client:
        _until(client, _query('count(up{job="services"} == 1)'), lambda answer: _value(answer) == processes)
        _until(client, _query("sum(traces_span_metrics_calls_total)"), lambda answer: _value(answer) > 0)


def _query(query: str) -> str:
    return f"/api/v1/query?{urlencode({'query': query})}"


def _value(answer: Mapping[str, Any]) -> float:
    """Of a query that has one; 0 where it has none yet."""
    return sum(float(each["value"][1]) for each in answer["data"]["result"])


def _missing(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["nothing"])[0]


def _compose(told: Mapping[str, str], *arguments: str) -> None:
    subprocess.run(["docker", "compose", "--project-name", PROJECT, *arguments], cwd=ROOT, env=told, check=True)


def _token(client: httpx.Client, secret: str) -> str:
    told = {"grant_type": "password", "client_id": CLI, "username": ADMINISTRATOR.username, "password": secret}
    answer = client.post("/identity/realms/steerco/protocol/openid-connect/token", data=told)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _sent(client: httpx.Client, path: str, body: Mapping[str, Any], method: str = "POST") -> httpx.Response:
    answer = client.request(method, path, json=body)
    if answer.status_code not in (201, 204):
        raise JourneyFailed(f"{method} {path}: {answer.status_code} {answer.text}")
    return answer


def _until_sent(client: httpx.Client, path: str, body: Mapping[str, Any], method: str = "POST") -> httpx.Response:
    """Once the service knows what was said to another."""
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        try:
            return _sent(client, path, body, method)
        except JourneyFailed:
            if time.monotonic() > end:
                raise
            time.sleep(LOOK_SECONDS)


def _until(client: httpx.Client, path: str, is_so: Any) -> None:
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        answer = client.get(path)
        if answer.status_code == 200 and is_so(answer.json()):
            return
        if time.monotonic() > end:
            raise JourneyFailed(f"GET {path}: {answer.status_code} {answer.text}")
        time.sleep(LOOK_SECONDS)


def _risk(project_id: str) -> Mapping[str, Any]:
    return {
        "project_id": project_id,
        "cause": "One engineer",
        "event": "leaves",
        "effect": "slips",
        "category": "staff",
        "probability": 3,
        "impact": 4,
    }


if __name__ == "__main__":
    main()
