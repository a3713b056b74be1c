"""The manifests are what Kubernetes takes, and what they name is what the code has."""

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import kubernetes_validate
import pytest
import yaml
from pydantic import ValidationError

from steerco.edition.services import BY_NAME, SERVICES
from steerco_events.kafka.permissions import user_of
from steerco_service.http_server import GRACE_SECONDS
from steerco_service.settings import ServiceSettings
from tests.deploy.images import built
from tests.deploy.manifests import (
    NAME,
    OVERLAYS,
    ROOT,
    Manifest,
    Secret,
    Workload,
    named,
    of_kind,
    rendered,
    secrets_of_development,
    workloads,
)
from tests.deploy.telling import ROLES, certificate, known_variables, started

EVERY_OVERLAY = sorted(each.name for each in OVERLAYS.iterdir())
WHOLE = ["dev", "production"]
UNIT = "unit"
OLDEST, NEWEST = "1.32", kubernetes_validate.latest_version()
EVERY_PLACE = [
    *((overlay, service.name, role) for overlay in WHOLE for service in SERVICES for role in ROLES),
    *((UNIT, "reporting", role) for role in ROLES),
]
LASTING = [place for place in EVERY_PLACE if place[-1] != "migrate"]
CERTIFICATES = {"kafka-ca", "issuer-ca"}
"""Secrets that are of whoever signs what is not ours."""
FIRST_ADMIN = "STEERCO_FIRST_ADMIN"
SECRET_NAMES = re.compile("URL$|PASSWORD|SECRET|TOKEN$")


@pytest.fixture
def workload(request: pytest.FixtureRequest) -> Workload:
    """What runs a service in a role, of an overlay."""
    overlay, service, role = request.param
    (found,) = [each for each in workloads(overlay) if (each.service, each.role) == (service, role)]
    return found


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("overlay", EVERY_OVERLAY)
def test_every_document_is_what_kubernetes_takes(overlay: str, version: str) -> None:
    for document in rendered(overlay):
        kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("overlay", WHOLE)
def test_every_service_runs_in_every_role(overlay: str) -> None:
    found = sorted((each.service, each.role) for each in workloads(overlay))
    assert found == sorted((service.name, role) for service in SERVICES for role in ROLES)


@pytest.mark.parametrize("workload", EVERY_PLACE, indirect=True, ids="-".join)
def test_a_process_starts_with_what_it_is_told(
    workload: Workload, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    signs = certificate(tmp_path / "ca.crt").read_text()
    secrets = secrets_of_development() | {Secret(name, "ca.crt"): signs for name in CERTIFICATES}
    files = {path: tmp_path / path.replace("/", "-") for path in workload.files}
    for path, secret in workload.files.items():
        files[path].write_text(secrets[secret])
    environment = {
        name: secrets[value] if isinstance(value, Secret) else str(files.get(value, value))
        for name, value in workload.environment.items()
    }
    assert {name for name in environment if name.startswith(("STEERCO_", "OTEL_"))} <= known_variables(workload.role)
    if FIRST_ADMIN in environment:
        environment[FIRST_ADMIN] = "6a1f8a52-7a0e-4a86-9b1c-3d1d6a7f0c11"
    settings = started(workload.service, workload.role, environment, monkeypatch)
    if isinstance(settings, ServiceSettings):
        assert bool(settings.log_key) == (BY_NAME[workload.service].owns_log and workload.role == "worker")
        ports = {each["name"]: each["containerPort"] for each in workload.container["ports"]}
        told = {"operations": settings.operations_port, **({"http": settings.port} if workload.role == "api" else {})}
        assert ports == told
        assert settings.operations_host == "0.0.0.0"
        if workload.role == "api":
            assert (settings.host, settings.root_path) == ("0.0.0.0", f"/{workload.service}")
        assert workload.pod["terminationGracePeriodSeconds"] > settings.drain_seconds + GRACE_SECONDS


@pytest.mark.parametrize("workload", EVERY_PLACE, indirect=True, ids="-".join)
def test_in_production_signed_heads_are_kept_in_files_that_all_workers_share(workload: Workload) -> None:
    keeps = workload.overlay == "production" and "STEERCO_LOG_KEY" in workload.environment
    folder = workload.environment.get("STEERCO_HEADS")
    assert (folder is not None) == keeps
    claims = {
        mount["mountPath"]: named(workload.overlay, "PersistentVolumeClaim", claim["claimName"])
        for mount in workload.container["volumeMounts"]
        for volume in workload.pod["volumes"]
        if volume["name"] == mount["name"] and (claim := volume.get("persistentVolumeClaim"))
    }
    assert list(claims) == ([folder] if keeps else [])
    assert all(claim["spec"]["accessModes"] == ["ReadWriteMany"] for claim in claims.values())
    assert workload.pod["securityContext"]["fsGroup"] == _user_of_the_image()


@pytest.mark.parametrize("workload", EVERY_PLACE, indirect=True, ids="-".join)
def test_what_is_secret_comes_of_secrets_alone(workload: Workload) -> None:
    plain = {name for name, value in workload.environment.items() if not isinstance(value, Secret)}
    public = {"STEERCO_PORTFOLIO_URL", "STEERCO_SOURCE_URL"}
    assert {name for name in plain if SECRET_NAMES.search(name)} <= public
    assert {each.name for each in workload.secrets} <= {f"{workload.service}-service", *CERTIFICATES}


def test_secrets_are_given_and_only_those_of_development_are_made() -> None:
    assert not of_kind("production", "Secret")
    wanted = {secret for each in workloads("dev") for secret in each.secrets if secret.name not in CERTIFICATES}
    assert wanted == set(secrets_of_development())


def test_passwords_of_development_are_those_that_the_scripts_of_compose_make() -> None:
    for secret, value in secrets_of_development().items():
        if secret.key.endswith("url"):
            assert urlsplit(value).password == f"development-{urlsplit(value).username}"
        elif secret.key == "kafka-password":
            assert value == f"development-{user_of(secret.name.removesuffix('-service'))}"


@pytest.mark.parametrize("workload", [place for place in EVERY_PLACE if place[::2] == ("dev", "api")], indirect=True)
def test_in_development_who_signs_for_the_issuer_is_believed(workload: Workload) -> None:
    """By the variable that the client of HTTP reads."""
    assert workload.files[str(workload.environment["SSL_CERT_FILE"])] == Secret("issuer-ca", "ca.crt")


@pytest.mark.parametrize("workload", [("production", "finance", "api")], indirect=True)
def test_nothing_starts_in_production_before_somebody_is_named_who_appoints_the_others(
    workload: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is appointed at the first start stays so."""
    monkeypatch.setenv(FIRST_ADMIN, str(workload.environment[FIRST_ADMIN]))
    with pytest.raises(ValidationError, match="first_admin"):
        ServiceSettings()


@pytest.mark.parametrize("workload", EVERY_PLACE, indirect=True, ids="-".join)
def test_pods_have_no_rights_and_bounds(workload: Workload) -> None:
    pod, container = workload.pod, workload.container
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == _user_of_the_image()
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"name": "tmp", "mountPath": "/tmp"} in container["volumeMounts"]
    assert {"cpu", "memory"} == set(container["resources"]["requests"]) == set(container["resources"]["limits"])


@pytest.mark.parametrize("workload", LASTING, indirect=True, ids="-".join)
def test_a_release_comes_pod_by_pod_and_a_pod_is_asked_how_it_is(workload: Workload) -> None:
    spec, container = workload.manifest["spec"], workload.container
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    probes = {
        "startupProbe": "/startupz",
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    for probe, path in probes.items():
        assert container[probe]["httpGet"] == {"path": path, "port": "operations"}
    annotations = spec["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == "/metrics"
    ports = {str(each["containerPort"]): each["name"] for each in container["ports"]}
    assert ports[annotations["prometheus.io/port"]] == "operations"
    (spread,) = workload.pod["topologySpreadConstraints"]
    assert _selects(spread["labelSelector"], workload)
    starts = container["startupProbe"]
    assert spec["progressDeadlineSeconds"] > starts["failureThreshold"] * starts["periodSeconds"]
    budgets = [each["spec"] for each in of_kind(workload.overlay, "PodDisruptionBudget")]
    (budget,) = [each for each in budgets if _selects(each["selector"], workload)]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize("service", sorted(BY_NAME))
def test_an_api_is_reached_at_its_path_and_there_are_two_of_it_at_least(service: str) -> None:
    (api,) = [each for each in workloads("production") if (each.service, each.role) == (service, "api")]
    (rule,) = named("production", "Ingress", f"{service}-api")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == (f"/{service}", "Prefix")
    to = path["backend"]["service"]
    spec = named("production", "Service", to["name"])["spec"]
    assert spec["selector"].items() <= api.labels.items()
    (port,) = [each for each in spec["ports"] if each["name"] == to["port"]["name"]]
    assert port["targetPort"] in {each["name"] for each in api.container["ports"]}
    scaler = named("production", "HorizontalPodAutoscaler", f"{service}-api")["spec"]
    assert scaler["scaleTargetRef"]["name"] == api.manifest["metadata"]["name"]
    assert scaler["minReplicas"] == 2
    assert "replicas" not in api.manifest["spec"]


@pytest.mark.parametrize("service", sorted(BY_NAME))
def test_a_worker_has_a_standby(service: str) -> None:
    assert named("production", "Deployment", f"{service}-worker")["spec"]["replicas"] == 2


@pytest.mark.parametrize("overlay", EVERY_OVERLAY)
def test_all_of_a_release_is_of_one_tag_and_what_migrates_is_named_after_it(overlay: str) -> None:
    told = yaml.safe_load((OVERLAYS / overlay / "release.yaml").read_text())["data"]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert told["tag"] == version
    for each in workloads(overlay):
        assert each.container["image"] == f"{told['repository']}/{each.service}:{version}"
        assert built()[f"steerco/{each.service}:{version}"].target == "service"
        if each.role == "migrate":
            assert each.manifest["metadata"]["name"] == f"{each.service}-migrate-{version}"


@pytest.mark.parametrize("overlay", EVERY_OVERLAY)
def test_whatever_is_named_is_there(overlay: str) -> None:
    there = {(each["kind"], each["metadata"]["name"]) for each in rendered(overlay)}
    for each in workloads(overlay):
        assert ("ServiceAccount", each.pod["serviceAccountName"]) in there
        assert each.manifest["metadata"]["labels"][NAME] == each.service
        assert each.manifest["metadata"]["namespace"] in {name for kind, name in there if kind == "Namespace"}


def _selects(selector: Manifest, workload: Workload) -> bool:
    labels: dict[str, str] = selector["matchLabels"]
    return labels.items() <= workload.labels.items()


def _user_of_the_image() -> int:
    (user,) = re.findall(r"^USER (\d+)", (ROOT / "deploy" / "image" / "Dockerfile").read_text(), re.MULTILINE)
    return int(user)
