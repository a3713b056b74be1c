"""Pods reach what they need and nothing else: every policy of the network together gives these flows alone."""

from collections.abc import Iterator

import pytest

from steerco.edition.services import SERVICES
from tests.deploy.manifests import Manifest, Workload, of_kind, workloads
from tests.deploy.telling import ROLES

NAMES = {("kube-system", "kube-dns", "53/UDP"), ("kube-system", "kube-dns", "53/TCP")}
COLLECTOR = ("resources", "collector", "4318/TCP")
ISSUER = ("resources", "issuer", "8443/TCP")
KAFKA = ("resources", "kafka", "9093/TCP")
BEYOND = ("203.0.113.10/32", "", "443/TCP")
GATEWAY = ("gateway", "", "http/TCP")
MONITORING = ("monitoring", "", "operations/TCP")

type Flow = tuple[str, str, str]
"""The namespace, by what is in it, or the network; the pods in it; the port."""


def database_of(service: str) -> set[Flow]:
    return {("resources", what, "5432/TCP") for what in ("database", f"database-{service}")}


def expected(workload: Workload) -> tuple[set[Flow], set[Flow]]:
    """What may come to a pod, and where it may go."""
    service, role = workload.service, workload.role
    to = NAMES | database_of(service)
    if role == "migrate":
        return set(), to
    if role == "worker":
        return {MONITORING}, to | {COLLECTOR, KAFKA}
    comes = {GATEWAY, MONITORING} | ({("", "reporting api", "http/TCP")} if service == "portfolio" else set())
    keys = {("", "portfolio api", "http/TCP")} if service == "reporting" else set()
    return comes, to | {COLLECTOR, ISSUER, BEYOND} | keys


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("service", [service.name for service in SERVICES])
def test_a_pod_reaches_what_it_needs_and_nothing_else(service: str, role: str) -> None:
    (workload,) = [each for each in workloads("production") if (each.service, each.role) == (service, role)]
    assert allowed(workload) == expected(workload)


@pytest.mark.parametrize("role", ROLES)
def test_reporting_for_a_unit_reaches_the_gateway_of_the_enterprise_and_no_kafka(role: str) -> None:
    (workload,) = [each for each in workloads("unit") if each.role == role]
    enterprise = {(f"203.0.113.{last}/32", "", "443/TCP") for last in (10, 20)}
    comes, goes = allowed(workload)
    assert (
        goes
        == NAMES
        | database_of("reporting")
        | {
            "api": enterprise | {COLLECTOR, ISSUER},
            "worker": enterprise | {COLLECTOR},
            "migrate": set[Flow](),
        }[role]
    )
    assert comes == {"api": {GATEWAY, MONITORING}, "worker": {MONITORING}, "migrate": set()}[role]


def test_whoever_is_named_by_no_policy_reaches_nothing() -> None:
    (nothing,) = [each["spec"] for each in of_kind("production", "NetworkPolicy") if each["spec"]["podSelector"] == {}]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_each_service_has_a_policy_for_its_database() -> None:
    found = [each["metadata"]["name"] for each in of_kind("production", "NetworkPolicy")]
    assert {f"{service.name}-database" for service in SERVICES} <= set(found)


def allowed(workload: Workload) -> tuple[set[Flow], set[Flow]]:
    """What may come to a pod, and where it may go, by all policies of its namespace together."""
    policies = [each["spec"] for each in of_kind(workload.overlay, "NetworkPolicy")]
    ours = [each for each in policies if matches(each["podSelector"], workload)]
    assert {"Ingress", "Egress"} == {kind for each in ours for kind in each["policyTypes"]}
    comes = {flow for each in ours for rule in each.get("ingress", []) for flow in flows(rule, "from")}
    goes = {flow for each in ours for rule in each.get("egress", []) for flow in flows(rule, "to")}
    return comes, goes


def matches(selector: Manifest, workload: Workload) -> bool:
    assert selector.keys() <= {"matchLabels"}
    labels: dict[str, str] = selector.get("matchLabels", {})
    return labels.items() <= workload.labels.items()


def flows(rule: Manifest, direction: str) -> Iterator[Flow]:
    """Those of one rule. A rule without peers or without ports would allow all of them, and fails here."""
    for peer in rule[direction]:
        for port in rule["ports"]:
            for where, what in places(peer):
                yield where, what, f"{port['port']}/{port.get('protocol', 'TCP')}"


def places(peer: Manifest) -> Iterator[tuple[str, str]]:
    """Namespace and pods."""
    if block := peer.get("ipBlock"):
        yield block["cidr"], ""
        return
    for where in said_by(peer["namespaceSelector"]) if "namespaceSelector" in peer else [""]:
        for what in said_by(peer["podSelector"]) if "podSelector" in peer else [""]:
            yield where, what


def said_by(selector: Manifest) -> list[str]:
    """The values of what it matches, one for each of a list. One that matches everything fails here."""
    assert len(selector) == 1
    if labels := selector.get("matchLabels"):
        return [" ".join(value for _, value in sorted(labels.items(), reverse=True))]
    (expression,) = selector["matchExpressions"]
    assert expression["operator"] == "In"
    values: list[str] = expression["values"]
    return values
