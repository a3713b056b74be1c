"""The contracts are held against what was published before, as git has it."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from steerco_events.reference.compatibility import Incompatible, Schema
from steerco_events.reference.releases import compare
from steerco_events.reference.schemas import schemas, text_of
from steerco_events.registry import EventType, Registry
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.two_releases import BEFORE, READING, WRITING

LEFT: Mapping[str, Schema] = {"steerco.dock.left.v1.schema.json": {"type": "object", "properties": {}}}
"""An event that none of the registries knows."""


@dataclass(frozen=True)
class Repository:
    """A git repository with a folder of schemas."""

    root: Path

    @property
    def schemas(self) -> Path:
        return self.root / "docs" / "schemas"

    def git(self, *arguments: str) -> None:
        names = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "init.defaultBranch=main")
        subprocess.run(["git", *names, *arguments], cwd=self.root, check=True, capture_output=True)

    def publish(self, published: Mapping[str, Schema], tag: str | None = None) -> None:
        """Commit these schemas, and no others."""
        shutil.rmtree(self.schemas, ignore_errors=True)
        self.schemas.mkdir(parents=True)
        for name, schema in published.items():
            (self.schemas / name).write_text(text_of(schema))
        self.git("add", "--all")
        self.git("commit", "--allow-empty", "--message", "Schemas")
        if tag:
            self.git("tag", tag)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A new one; the test is skipped where there is no git."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    made = Repository(tmp_path / "repository")
    made.root.mkdir()
    made.git("init")
    return made


def said(folder: Path, registry: Registry) -> str:
    """What a comparison that passes says."""
    lines: list[str] = []
    compare(folder, registry, lines.append)
    return "\n".join(lines)


def test_the_newest_releases_are_what_counts(repository: Repository) -> None:
    repository.publish(LEFT, "v0.9.0")
    repository.publish(schemas(BEFORE), "v0.10.0")
    repository.publish(schemas(BEFORE), "v0.11.0")
    repository.publish(LEFT)
    assert said(repository.schemas, READING) == (
        "event contracts: 2 versions, compatible with the 1 of v0.11.0\n"
        "event contracts: 2 versions, compatible with the 1 of v0.10.0"
    )


def test_the_commit_of_a_release_is_held_against_the_release_before(repository: Repository) -> None:
    repository.publish(LEFT, "v0.1.0")
    repository.publish(schemas(BEFORE), "v0.2.0")
    with pytest.raises(Incompatible, match=r"dock\.left\.v1: event-removed"):
        compare(repository.schemas, BEFORE, print)


def test_without_a_release_the_last_commit_and_the_one_before_count(repository: Repository) -> None:
    repository.publish(LEFT)
    repository.publish({})
    with pytest.raises(Incompatible, match="event-removed"):
        compare(repository.schemas, BEFORE, print)
    repository.publish(schemas(BEFORE))
    said(repository.schemas, BEFORE)


def test_on_a_branch_everything_since_it_left_the_main_one_counts(repository: Repository) -> None:
    repository.publish(LEFT)
    repository.git("switch", "--create", "feature")
    repository.publish(schemas(BEFORE))
    repository.publish(schemas(BEFORE))
    repository.publish(schemas(BEFORE))
    with pytest.raises(Incompatible, match="event-removed"):
        compare(repository.schemas, BEFORE, print)


def test_a_new_version_is_read_by_one_release_before_the_next_writes_it(repository: Repository) -> None:
    repository.publish(schemas(BEFORE), "v0.1.0")
    said(repository.schemas, READING)
    with pytest.raises(Incompatible, match=r"arrived\.v2: written-too-early"):
        compare(repository.schemas, WRITING, print)
    repository.publish(schemas(READING), "v0.2.0")
    repository.git("tag", "--delete", "v0.1.0")
    said(repository.schemas, WRITING)


def test_an_event_that_is_new_altogether_is_written_at_once(repository: Repository) -> None:
    repository.publish(schemas(READING), "v0.1.0")
    harbor = Registry("harbor")
    harbor.add(EventType("steerco.harbor.opened", 1, Counted))
    said(repository.schemas, READING.including(harbor))


def test_a_tree_without_history_says_so_and_passes(tmp_path: Path) -> None:
    assert said(tmp_path, BEFORE) == "event contracts: git has no earlier schemas here to compare with"


def test_a_shallow_clone_is_compared_with_its_only_commit(repository: Repository, tmp_path: Path) -> None:
    repository.publish(LEFT)
    repository.publish(schemas(BEFORE))
    shallow = tmp_path / "shallow"
    repository.git("clone", "--depth", "1", repository.root.as_uri(), str(shallow))
    assert said(shallow / "docs" / "schemas", BEFORE).count("compatible with the 1 of") == 1
