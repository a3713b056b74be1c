"""docker-compose.yml brings up what the code has, and tells it what it takes."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from steerco.edition.mounting import parent_app
from steerco.edition.services import BY_NAME, SERVICES
from steerco.reference.kafka_acls import kafka_acls
from steerco_events.kafka.permissions import user_of
from steerco_servers.jars import KAFKA_VERSION, KEYCLOAK_VERSION
from steerco_servers.kafka_security import OPERATOR, Operator, security_of
from steerco_servers.realm import ADMINISTRATOR, CLI, INTEGRATION, REALM, REPORTING, local_realm, text_of
from steerco_service.factory import routers_of
from steerco_service.hosting import databases_of
from steerco_service.http_server import GRACE_SECONDS
from steerco_service.log_key import LogKey
from steerco_service.runtime import Service
from steerco_service.settings import ServiceSettings
from tests.deploy.compose import ROOT, Described, composed, defaults, running
from tests.deploy.images import built
from tests.deploy.telling import ROLES, known_variables, started

FOLDER = ROOT / "deploy" / "compose"
SERVICES_BY_ROLE = [(service.name, role) for service in SERVICES for role in ROLES]
WITHOUT_NETWORK_OF_ITS_OWN = {"gateway", "keycloak", "postgres", "databases", "kafka", "kafka-users"}


def process(service: str, role: str) -> Described:
    found: Described = composed()["services"][f"{service}-{role}"]
    return found


@pytest.mark.parametrize("profiles", ["", None], ids=["what is needed", "everything"])
def test_the_file_is_what_compose_takes(profiles: str | None, tmp_path: Path) -> None:
    """By the schema of the specification, as it is carried by a package."""
    read = tmp_path / "compose.yaml"
    read.write_text(yaml.safe_dump(composed(profiles)))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(read)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_plain_up_starts_everything_and_less_is_the_services_with_what_they_need() -> None:
    ours = {f"{service}-{role}" for service, role in SERVICES_BY_ROLE}
    assert running("").keys() == ours | WITHOUT_NETWORK_OF_ITS_OWN
    assert running().keys() - running("").keys() == {"collector", "jaeger", "prometheus", "grafana"}
    assert composed()["services"].keys() - running().keys() == {"steerco"}


@pytest.mark.parametrize(("service", "role"), SERVICES_BY_ROLE)
def test_a_process_starts_with_what_it_is_told(service: str, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    container = process(service, role)
    assert container["command"] == [role]
    environment = dict(container["environment"])
    for target, source in _mounted(container).items():
        if source.startswith("./"):
            environment = {
                name: value.replace(f"{target}/", f"{ROOT / source}/") for name, value in environment.items()
            }
    assert environment.keys() <= known_variables(role)
    settings = started(service, role, environment, monkeypatch)
    if isinstance(settings, ServiceSettings):
        assert (settings.operations_host, settings.operations_port) == ("0.0.0.0", 9100)
        assert settings.group_roles[ADMINISTRATOR.group][0].role == "pmo_admin"
        assert float(container["stop_grace_period"].rstrip("s")) > settings.drain_seconds + GRACE_SECONDS
        if role == "api":
            assert (settings.host, settings.port, settings.root_path) == ("0.0.0.0", 8000, f"/{service}")
            assert list(settings.trusted_proxies) == [_subnet()]
        else:
            assert (settings.kafka_user, settings.kafka) == (user_of(service), "kafka:9092")
        _signs(container, settings, is_meant=role == "worker" and BY_NAME[service].owns_log)


def _signs(container: Described, settings: ServiceSettings, is_meant: bool) -> None:
    assert (settings.log_key is not None, settings.heads is not None) == (is_meant, is_meant)
    if settings.log_key and settings.heads:
        key = LogKey.from_private(json.loads(settings.log_key.read_text()))
        public = settings.log_key.with_name("log-key.public.json")
        assert json.loads(public.read_text()) == key.public()
        assert _mounted(container)[str(settings.heads)] in composed()["volumes"]
        image = (ROOT / "deploy" / "image" / "Dockerfile").read_text()
        assert f"install --directory --owner 10001 --group 10001 --mode 0700 {settings.heads}" in image


def _mounted(container: Described) -> dict[str, str]:
    """What is mounted where."""
    volumes = [volume.split(":") for volume in container.get("volumes", [])]
    return {target: source for source, target, *_ in volumes}


@pytest.mark.parametrize(("service", "role"), [place for place in SERVICES_BY_ROLE if place[1] != "migrate"])
def test_it_is_well_when_it_is_ready(service: str, role: str) -> None:
    """For that is what `docker compose up --wait` waits for, and the gateway."""
    check = process(service, role)["healthcheck"]
    program, _, script = check["test"][1:]
    (url,) = re.findall(r"urlopen\('([^']+)'", script)
    assert (program, url) == ("python", "http://127.0.0.1:9100/readyz")
    assert int(check["start_period"].removesuffix("s")) >= 300


@pytest.mark.parametrize(("service", "role"), SERVICES_BY_ROLE)
def test_a_process_is_of_the_image_that_what_migrates_builds_and_nobody_else(service: str, role: str) -> None:
    """Who builds one image at once with another fails where both write it."""
    container, building = process(service, role), process(service, "migrate")["build"]
    image = built()[container["image"]]
    assert building["args"] == {"MEMBER": str(image.member.relative_to(ROOT))}
    assert building["target"] == image.target == "service"
    assert (ROOT / building["context"] / building["dockerfile"]).exists()
    assert ("build" in container) == (role == "migrate")
    assert container.get("pull_policy") == (None if role == "migrate" else "never")
    assert container["image"] == process(service, "migrate")["image"]


def test_the_tag_is_that_of_the_release() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert defaults()["TAG"] == version
    assert composed()["services"]["steerco"]["image"] in built()


@pytest.mark.parametrize(("service", "role"), SERVICES_BY_ROLE)
def test_a_role_uses_its_own_database_alone_and_with_its_own_rights(service: str, role: str) -> None:
    names = {f"steerco_{name}" for name in databases_of([BY_NAME[service]])}
    rights = "owner" if role == "migrate" else "app"
    urls = [value for name, value in process(service, role)["environment"].items() if "postgresql" in value]
    told = {(urlsplit(url).path.lstrip("/"), urlsplit(url).username, urlsplit(url).password) for url in urls}
    secret = defaults()["LOCAL_SECRET"]
    assert told == {(name, f"{name}_{rights}", f"{secret}-{name}_{rights}") for name in names}
    assert {urlsplit(url).hostname for url in urls} == {"postgres"}


def test_every_database_is_made_before_anybody_needs_it() -> None:
    databases = composed()["services"]["databases"]
    assert databases["command"] == [*sorted_like(databases["command"], databases_of(SERVICES)), "keycloak"]
    assert databases["entrypoint"][-1] == defaults()["LOCAL_SECRET"]
    assert composed()["services"]["keycloak"]["environment"]["KC_DB_URL"].endswith("/steerco_keycloak")
    for service in SERVICES:
        migrates, done = process(service.name, "migrate"), {"condition": "service_completed_successfully"}
        assert migrates["depends_on"] == {"databases": done}
        for role in ("api", "worker"):
            assert process(service.name, role)["depends_on"][f"{service.name}-migrate"] == done


def sorted_like(names: list[str], expected: object) -> list[str]:
    """Those that are expected, in the order in which they are written."""
    assert isinstance(expected, list | tuple)
    assert set(expected) == set(names) - {"keycloak"}
    return [name for name in names if name != "keycloak"]


def test_kafka_lets_in_whom_the_code_names_and_for_what_it_says() -> None:
    """After an intended change: `make docs`."""
    users = composed()["services"]["kafka-users"]
    secret = defaults()["LOCAL_SECRET"]
    assert users["command"] == [service.name for service in SERVICES]
    assert users["entrypoint"][-1] == secret
    for service in SERVICES:
        told = process(service.name, "worker")
        assert told["environment"]["STEERCO_KAFKA_PASSWORD"] == f"{secret}-{user_of(service.name)}"
        assert told["depends_on"]["kafka-users"] == {"condition": "service_completed_successfully"}
    assert (FOLDER / "kafka" / "acls.sh").read_text() == kafka_acls()
    lines = (FOLDER / "kafka" / "server.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    password = "${env:OPERATOR_PASSWORD}"
    assert security_of(["CLIENTS", "CONTROLLER"], Operator(password)).items() <= properties.items()
    for name in ("kafka", "kafka-users"):
        assert composed()["services"][name]["environment"]["OPERATOR_PASSWORD"] == f"{secret}-{OPERATOR}"


def test_servers_are_of_the_versions_that_tests_run_with() -> None:
    images = {name: each["image"] for name, each in composed()["services"].items()}
    assert images["kafka"] == images["kafka-users"] == f"apache/kafka:{KAFKA_VERSION}"
    assert images["keycloak"] == f"keycloak/keycloak:{KEYCLOAK_VERSION}"
    assert images["postgres"] == images["databases"]
    assert all(re.fullmatch(r"[a-z/-]+:v?\d+(\.\d+)+", image) for image in images.values())


def test_the_realm_that_is_imported_has_who_is_needed() -> None:
    """After an intended change: `make docs`."""
    assert (FOLDER / "keycloak" / "realm.json").read_text() == text_of(local_realm())
    clients = {each["clientId"]: each for each in local_realm()["clients"]}
    assert clients.keys() == {CLI, INTEGRATION, REPORTING}
    told = process("reporting", "api")["environment"]
    assert (
        told["STEERCO_CLIENT_ID"] == process("portfolio", "api")["environment"]["STEERCO_SERVICE_CLIENTS"] == REPORTING
    )
    assert told["STEERCO_CLIENT_SECRET"] == composed()["services"]["keycloak"]["environment"]["LOCAL_SECRET"]


def test_the_issuer_has_one_name_for_people_and_for_services() -> None:
    keycloak = composed()["services"]["keycloak"]["environment"]
    (port,) = composed()["services"]["gateway"]["ports"]
    assert keycloak["KC_HOSTNAME"] == f"http://localhost:{port.split(':')[1]}{keycloak['KC_HTTP_RELATIVE_PATH']}"
    for service, role in SERVICES_BY_ROLE:
        if role != "migrate":
            told = process(service, role)["environment"]
            assert told["STEERCO_ISSUER"] == f"{keycloak['KC_HOSTNAME']}/realms/{REALM}"
            address = f"http://keycloak:8080{keycloak['KC_HTTP_RELATIVE_PATH']}/realms/{REALM}"
            assert told["STEERCO_ISSUER_ADDRESS"] == address


def test_the_gateway_has_the_paths_of_the_one_process_edition() -> None:
    mounted = parent_app({service.name: FastAPI() for service in SERVICES})
    paths = {route.path for route in mounted.routes if isinstance(route, Mount)}
    routes = yaml.safe_load((FOLDER / "gateway" / "routes.yaml").read_text())["http"]
    told = {name: re.fullmatch(r"PathPrefix\(`(.+)`\)", each["rule"]) for name, each in routes["routers"].items()}
    assert {found[1] for found in told.values() if found} == {f"{path}/" for path in paths} | {"/identity"}
    for name, each in routes["routers"].items():
        (server,) = routes["services"][each["service"]]["loadBalancer"]["servers"]
        host = "keycloak:8080" if name == "identity" else f"{name}-api:8000"
        assert server["url"] == f"http://{host}"
        if name != "identity":
            assert process(name, "api")["networks"] == ["edge", "inside"]
            wanted = composed()["services"]["gateway"]["depends_on"][f"{name}-api"]
            assert wanted == {"condition": "service_healthy"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_no_path_of_an_api_begins_with_its_name(service: Service) -> None:
    """So one that is asked beneath it, before a gateway that leaves it in, is not taken for another."""
    routes = [route for each in routers_of(service) for route in each.routes if isinstance(route, APIRoute)]
    assert not [route.path for route in routes if f"{route.path}/".startswith(f"/{service.name}/")]


def test_only_this_machine_gets_in_and_nothing_has_rights_that_it_does_not_need() -> None:
    for name, each in composed()["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in each.get("ports", [])), name
        assert each["cap_drop"] == ["ALL"], name
        assert each["security_opt"] == ["no-new-privileges:true"], name
        assert not each.get("privileged"), name
        if each["image"].startswith("steerco/"):
            assert each["read_only"] is True
            assert each["tmpfs"] == ["/tmp"]
            assert each["mem_limit"]


def test_whatever_is_mounted_or_named_is_there() -> None:
    document = composed()
    for name, each in document["services"].items():
        for volume in each.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in document["volumes"], volume
        assert set(each.get("depends_on", {})) <= document["services"].keys(), name
        assert set(each.get("networks", [])) <= document["networks"].keys(), name


def test_what_is_watched_is_what_runs() -> None:
    told = yaml.safe_load((ROOT / "deploy" / "observability" / "prometheus.yaml").read_text())
    jobs = {each["job_name"]: each for each in told["scrape_configs"]}
    assert jobs["spans"]["static_configs"] == [{"targets": ["collector:8889"]}]
    found = jobs["services"]["dns_sd_configs"]
    assert [(each["type"], each["port"]) for each in found] == [("A", 9100)]
    (names,) = (each["names"] for each in found)
    assert sorted(names) == sorted(f"{service}-{role}" for service, role in SERVICES_BY_ROLE if role != "migrate")
    endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
    assert process("finance", "api")["environment"][endpoint] == "http://collector:4318"
    assert not composed("")["services"]["finance-api"]["environment"][endpoint]


def _subnet() -> str:
    (config,) = composed()["networks"]["edge"]["ipam"]["config"]
    return str(config["subnet"])
