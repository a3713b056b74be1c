"""Each member that is started has an image, with its own packages alone."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest

from steerco.edition.services import SERVICES
from tests.deploy.images import DOCKERFILE, MEMBERS, ROOT, Image, built, needed, project
from tests.deploy.telling import ROLES

INSTRUCTIONS = DOCKERFILE.read_text().replace("\\\n", " ")
MAKEFILE = (ROOT / "Makefile").read_text()
UV = ROOT / ".tools" / "bin" / "uv"
FROM_WHAT_SETUP_FETCHED = {"UV_OFFLINE": "1", "UV_NO_BUILD_ISOLATION": "1"}


def test_each_service_has_an_image_and_so_has_the_command() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert {image.name: image.target for image in built().values()} == {
        **{f"steerco/{service.name}:{version}": "service" for service in SERVICES},
        f"steerco/steerco:{version}": "command",
    }
    assert {image.member for image in built().values()} <= set(MEMBERS.values())


@pytest.mark.parametrize("service", [service.name for service in SERVICES])
def test_the_image_of_a_service_has_no_other(service: str) -> None:
    libraries = {MEMBERS["events"], MEMBERS["service"]}
    assert needed(MEMBERS[service]) == {MEMBERS[service], *libraries}


@pytest.mark.parametrize("image", built().values(), ids=lambda image: image.name)
def test_an_image_is_entered_by_the_program_of_its_member(image: Image) -> None:
    """As the Dockerfile names it."""
    programs = project(image.member)["project"]["scripts"]
    if image.target == "command":
        assert programs.keys() == {"steerco"}
    else:
        assert f"steerco-{image.member.name}" in programs
    assert 'ln -s "steerco-$(basename "${MEMBER}")" /opt/steerco/bin/service' in INSTRUCTIONS
    entered = dict(re.findall(r"AS (\w+)\n(?:EXPOSE.*\n)?ENTRYPOINT (.*)", INSTRUCTIONS))
    assert entered == {"command": '["/opt/steerco/bin/steerco"]', "service": '["/opt/steerco/bin/service"]'}


def test_what_is_copied_is_there_and_is_not_kept_out() -> None:
    copied = [
        path for line in re.findall(r"^COPY (?!--from)(.+) \S+$", INSTRUCTIONS, re.MULTILINE) for path in line.split()
    ]
    assert copied == ["pyproject.toml", "requirements.lock", "libs", "services", "apps"]
    ignored, *let_in = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in ("#", "")]
    assert ignored == "*"
    needed_files = ["pyproject.toml", "requirements.lock"]
    needed_files += [f"{m.relative_to(ROOT)}/{each}" for m in MEMBERS.values() for each in ("pyproject.toml", "src")]
    for path in needed_files:
        assert (ROOT / path).exists()
        assert any(fnmatch(path, pattern.removeprefix("!")) for pattern in let_in), path
    assert not any(
        fnmatch(f"services/finance/{kept_out}", each.removeprefix("!"))
        for each in let_in
        for kept_out in ("tests", ".venv")
    )


def test_what_is_installed_starts_without_the_sources_that_it_came_of(tmp_path: Path) -> None:
    """As the Dockerfile installs it; what members need of others is there before, of what `make setup` fetched."""
    member, source, place = MEMBERS["finance"], tmp_path / "source", tmp_path / "steerco"
    _copied(source)
    python = str(place / "bin" / "python")
    _run(["uv", "venv", "--python", sys.executable, str(place)], source)
    _run(["uv", "pip", "sync", "--python", python, "--require-hashes", "requirements.lock"], source)
    (line,) = re.findall(r"&& (uv pip install .+?) +&&", INSTRUCTIONS)
    told = {"/opt/steerco/bin/python": python, "./${MEMBER}": f"./{member.relative_to(ROOT)}"}
    _run([told.get(word, word) for word in shlex.split(line)], source)
    shutil.rmtree(source)
    started = _run([str(place / "bin" / f"steerco-{member.name}"), "--help"], tmp_path)
    assert all(role in started for role in ROLES)


def _copied(source: Path) -> None:
    """What the builder copies of it, but for what `.dockerignore` keeps out."""
    for member in MEMBERS.values():
        to = source / member.relative_to(ROOT)
        shutil.copytree(member / "src", to / "src", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(member / "pyproject.toml", to)
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, source)


def _run(command: Sequence[str], folder: Path) -> str:
    if command[0] == "uv":
        command = [str(UV), *command[1:]]
    told = os.environ | FROM_WHAT_SETUP_FETCHED
    done = subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_stages_are_those_that_are_named() -> None:
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", INSTRUCTIONS, re.MULTILINE)[::-1])
    names = re.findall(r"^FROM \S+ AS (\S+)$", INSTRUCTIONS, re.MULTILINE)
    assert names == ["builder", "member", "command", "service"]
    assert set(stages) == {"${PYTHON}", "member"}
    assert set(re.findall(r"--from=(\S+)", INSTRUCTIONS)) == {"builder"}
    assert {image.target for image in built().values()} <= set(names)


def test_every_version_is_pinned_as_elsewhere() -> None:
    python = re.findall(r"^ARG PYTHON=python:(\d+\.\d+)\.\d+-slim-\S+$", INSTRUCTIONS, re.MULTILINE)
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert [f">={each}" for each in python] == [supported]
    (uv,) = re.findall(r"^UV_VERSION := (\S+)$", MAKEFILE, re.MULTILINE)
    assert f"ARG UV_VERSION={uv}\n" in INSTRUCTIONS
    locked = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    ours = {project(member)["project"]["name"] for member in MEMBERS.values()}
    for member in MEMBERS.values():
        told = project(member)
        said = [*told["project"]["dependencies"], *told["build-system"]["requires"]]
        assert {re.split(r"[\s\[<>=~!;]", each)[0] for each in said} <= locked | ours


def test_members_are_installed_under_the_hashes_of_the_lock_also_what_builds_them() -> None:
    assert "--constraints requirements.lock --build-constraints requirements.lock" in INSTRUCTIONS
    assert "--no-verify-hashes" not in INSTRUCTIONS


def test_nothing_runs_as_root_and_its_health_is_asked_where_the_process_tells_it() -> None:
    last = INSTRUCTIONS[INSTRUCTIONS.index("AS member") :]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001:10001"]
    assert "STOPSIGNAL SIGTERM" in last
    assert "EXPOSE 8000 9100" in last
    assert "http://127.0.0.1:9100/livez" in last
