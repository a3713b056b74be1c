"""What the tests need and is missing is said before the first of them, in one line."""

from pathlib import Path

import pytest

from steerco_servers.kustomize import kustomize_command
from steerco_servers.needs import main
from steerco_servers.prefetch import main as prefetch


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Neither Java nor Maven nor a server or program of one's own, and nothing fetched before."""
    for name in (
        "STEERCO_TEST_KAFKA",
        "STEERCO_TEST_KEYCLOAK",
        "STEERCO_TEST_KUSTOMIZE",
        "STEERCO_TEST_PROMTOOL",
        "JAVA_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STEERCO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_java_is_named_where_it_is_missing(bare_machine: Path) -> None:
    with pytest.raises(SystemExit, match=r"^Java 17 or newer is missing: .*STEERCO_TEST_KAFKA=host:port"):
        main()


def test_maven_is_named_where_there_is_java_alone(bare_machine: Path) -> None:
    java = bare_machine / "java"
    java.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    java.chmod(0o755)
    with pytest.raises(SystemExit, match=r"^Maven \(mvn\) is missing"):
        main()


def test_servers_of_ones_own_need_neither(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEERCO_TEST_KAFKA", "127.0.0.1:9092")
    with pytest.raises(SystemExit, match=r"^Java 17 or newer is missing: Keycloak .*STEERCO_TEST_KEYCLOAK="):
        main()
    monkeypatch.setenv("STEERCO_TEST_KEYCLOAK", "http://127.0.0.1:8080")
    main("kafka", "keycloak")
    prefetch()


def test_kustomize_is_named_where_it_is_missing(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"^kustomize is missing, .*STEERCO_TEST_KUSTOMIZE=its path"):
        main("kustomize")
    kubectl = bare_machine / "kubectl"
    kubectl.touch(mode=0o755)
    main("kustomize")
    assert kustomize_command() == (str(kubectl), "kustomize")
    monkeypatch.setenv("STEERCO_TEST_KUSTOMIZE", "/opt/kustomize")
    assert kustomize_command() == ("/opt/kustomize", "build")


def test_what_needs_kafka_alone_is_not_asked_for_more(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEERCO_TEST_KAFKA", "127.0.0.1:9092")
    main("kafka")
    with pytest.raises(SystemExit, match=r"^Java 17 or newer is missing: Keycloak"):
        main("kafka", "keycloak")
    with pytest.raises(SystemExit, match=r"^redis: none of kafka, keycloak, kustomize, promtool$"):
        main("redis")


def test_promtool_is_named_where_it_is_missing(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"^promtool is missing: .*STEERCO_TEST_PROMTOOL=its path"):
        main("promtool")
    monkeypatch.setenv("STEERCO_TEST_PROMTOOL", "/opt/promtool")
    main("promtool")
