import asyncio
import os
from pathlib import Path

import pytest

from steerco_servers.jars import KEYCLOAK_VERSION, find_java, keycloak_distribution
from steerco_servers.keycloak import ServerFailed, ServerMissing, start_keycloak
from steerco_servers.realm import realm_for_tests

pytestmark = [pytest.mark.keycloak, pytest.mark.usefixtures("own_keycloak")]


async def test_a_missing_java_or_maven_is_named(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = find_java()
    monkeypatch.setenv("PATH", str(scratch))
    monkeypatch.setenv("JAVA_HOME", str(scratch / "nothing"))
    monkeypatch.setattr("steerco_servers.jars.find_spec", lambda _: None)
    with pytest.raises(ServerMissing, match=r"^Java 17 or newer is missing: Keycloak needs it"):
        await start_keycloak(scratch / "data", realm=realm_for_tests())
    monkeypatch.setenv("JAVA_HOME", str(java.resolve().parents[1]))
    monkeypatch.setenv("STEERCO_CACHE", str(scratch / "cache"))
    with pytest.raises(ServerMissing, match=r"^Maven .*: it fetches Keycloak"):
        await start_keycloak(scratch / "data", realm=realm_for_tests())
    assert not (scratch / "data").exists()


async def test_the_program_is_fetched_and_made_ready_once_however_many_ask(
    monkeypatch: pytest.MonkeyPatch, scratch: Path
) -> None:
    """With a Maven that counts its calls and makes the one file that has to be there."""
    maven = scratch / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(
        f'#!/bin/sh\necho called >>"{scratch}/calls"\n'
        'for option; do case "$option" in -DoutputDirectory=*) lib="${option#*=}/'
        f'keycloak-{KEYCLOAK_VERSION}/lib"; mkdir -p "$lib"; : >"$lib/quarkus-run.jar";; esac; done\n'
    )
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{maven.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STEERCO_CACHE", str(scratch / "cache"))
    prepared: list[Path] = []

    async def prepare(program: Path) -> None:
        prepared.append(program)
        if len(prepared) == 1:
            raise ServerFailed("Keycloak's build ended with code 1")

    with pytest.raises(ServerFailed, match="build"):
        await keycloak_distribution(prepare, lambda _: None)
    assert {path.name for path in (scratch / "cache" / "keycloak").iterdir()} == {"lock"}

    first, second = await asyncio.gather(*(keycloak_distribution(prepare, lambda _: None) for _ in range(2)))

    assert first == second
    assert len(prepared) == 2
    assert (scratch / "calls").read_text() == "called\n" * 2
    assert {path.name for path in first.parent.iterdir()} == {first.name, "lock"}
