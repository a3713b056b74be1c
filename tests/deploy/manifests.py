"""The manifests of an overlay as kustomize renders them, and what their containers are told."""

import base64
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from steerco_servers.kustomize import kustomize_command

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "deploy" / "k8s" / "overlays"
COMPONENT = "app.kubernetes.io/component"
NAME = "app.kubernetes.io/name"

type Manifest = dict[str, Any]


def render(folder: Path) -> Sequence[Manifest]:
    """All documents that kustomize makes of a folder."""
    done = subprocess.run([*kustomize_command(), str(folder)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@cache
def rendered(overlay: str) -> Sequence[Manifest]:
    """Those of an overlay; not to be changed."""
    return render(OVERLAYS / overlay)


def of_kind(overlay: str, *kinds: str) -> Sequence[Manifest]:
    """Those of some kinds."""
    return [each for each in rendered(overlay) if each["kind"] in kinds]


def named(overlay: str, kind: str, name: str) -> Manifest:
    """The one of a kind that has a name."""
    (found,) = [each for each in of_kind(overlay, kind) if each["metadata"]["name"] == name]
    return found


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that a container takes from a secret."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Workload:
    """What runs a service in a role."""

    overlay: str
    manifest: Manifest

    @property
    def labels(self) -> Mapping[str, str]:
        """Of its pods."""
        labels: dict[str, str] = self._template["metadata"]["labels"]
        return labels

    @property
    def service(self) -> str:
        return self.labels[NAME]

    @property
    def role(self) -> str:
        (role,) = self.container["args"]
        return str(role)

    @property
    def pod(self) -> Manifest:
        pod: Manifest = self._template["spec"]
        return pod

    @property
    def container(self) -> Manifest:
        containers: list[Manifest] = self.pod["containers"]
        (container,) = containers
        return container

    @property
    def environment(self) -> Mapping[str, str | Secret]:
        """What it is told, by name; later ones win, and `$(NAME)` is what was told before."""
        told: dict[str, str | Secret] = {}
        for each in self.container.get("envFrom", []):
            told |= named(self.overlay, "ConfigMap", each["configMapRef"]["name"]).get("data", {})
        for each in self.container["env"]:
            told[each["name"]] = self._value(each, told)
        return told

    @property
    def files(self) -> Mapping[str, Secret]:
        """The files that it finds, by path, and of what secret they are."""
        volumes = {each["name"]: each for each in self.pod["volumes"] if "secret" in each}
        return {
            f"{mount['mountPath']}/{item['path']}": Secret(volumes[mount["name"]]["secret"]["secretName"], item["key"])
            for mount in self.container["volumeMounts"]
            if mount["name"] in volumes
            for item in volumes[mount["name"]]["secret"]["items"]
        }

    @property
    def secrets(self) -> set[Secret]:
        """All that it has of secrets."""
        return {value for value in self.environment.values() if isinstance(value, Secret)} | set(self.files.values())

    @property
    def _template(self) -> Manifest:
        template: Manifest = self.manifest["spec"]["template"]
        return template

    def _value(self, entry: Manifest, told: Mapping[str, str | Secret]) -> str | Secret:
        if "value" in entry:
            value = str(entry["value"])
            for name, known in told.items():
                value = value.replace(f"$({name})", str(known))
            return value
        match entry["valueFrom"]:
            case {"secretKeyRef": {"name": name, "key": key}}:
                return Secret(name, key)
            case {"fieldRef": {"fieldPath": path}}:
                return self.labels[path.removeprefix("metadata.labels['").removesuffix("']")]
            case other:
                raise AssertionError(other)


def workloads(overlay: str) -> Sequence[Workload]:
    """All of an overlay."""
    return [Workload(overlay, each) for each in of_kind(overlay, "Deployment", "Job")]


def secrets_of_development() -> dict[Secret, str]:
    """What the overlay for development has in its secrets."""
    return {
        Secret(each["metadata"]["name"], key): base64.b64decode(value).decode()
        for each in of_kind("dev", "Secret")
        for key, value in each["data"].items()
    }
