"""The contracts are held against what was published before, as git has it."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest

from steerco_events.reference.compatibility import Incompatible, Schema
from steerco_events.reference.releases import compare
from steerco_events.reference.schemas import SUFFIX, published, schemas, text_of
from steerco_events.registry import EventType, Registry
from steerco_events.testkit.tally import Counted
from steerco_events.testkit.two_releases import BEFORE, READING, WRITING

LEFT: Mapping[str, Schema] = {"steerco.dock.left.v1.schema.json": {"type": "object", "properties": {}}}
"""An event that none of the registries knows."""

type Edit = Callable[[Schema], None]

ONCE: Sequence[tuple[str, Edit, str]] = [
    ("attributes", lambda once: once["properties"].update(mood={"type": "string"}), "/mood: field-removed"),
    ("attributes", lambda once: once["required"].remove("client"), "/client: now-required"),
    ("attributes", lambda once: once["required"].append("orgunits"), "/orgunits: required-no-more"),
    ("attributes", lambda once: once["properties"]["actor"].update(pattern="^.+$"), "/actor: limit-changed"),
    ("attributes", lambda once: once["properties"]["specversion"].update(const="0.3"), "/specversion: limit-changed"),
    ("kafka-headers", lambda once: once["properties"].update(ce_mood={"type": "string"}), "/ce_mood: field-removed"),
    ("kafka-headers", lambda once: once["required"].remove("ce_client"), "/ce_client: now-required"),
    ("head", lambda once: once["properties"].update(parts={"type": "integer"}), "/parts: field-removed"),
    ("head", lambda once: once["properties"]["watermark"].update(type="integer"), "/watermark: retyped"),
    ("head", lambda once: once["properties"]["hash"].update(default="AA=="), "/hash: default-changed"),
    ("head", lambda once: once["$defs"]["SignedHead"]["required"].remove("key_id"), "/signed/key_id: now-required"),
]
"""What an earlier release said otherwise of the envelope or a head, and how the difference is named."""


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
        "event contracts: 5 schemas, compatible with the 1 of v0.11.0\n"
        "event contracts: 5 schemas, compatible with the 1 of v0.10.0"
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


@pytest.mark.parametrize(("name", "edit", "named"), ONCE, ids=[f"{name} at {named}" for name, _, named in ONCE])
def test_what_every_event_carries_and_a_logs_head_stay_as_they_were(
    repository: Repository, name: str, edit: Edit, named: str
) -> None:
    once = {each: deepcopy(schema) for each, schema in published(BEFORE).items()}
    repository.publish(once, "v0.1.0")
    said(repository.schemas, BEFORE)
    edit(once[f"{name}{SUFFIX}"])
    repository.publish(once, "v0.2.0")
    with pytest.raises(Incompatible, match=re.escape(f"{name} at {named}: ")) as refused:
        compare(repository.schemas, BEFORE, print)
    assert len(refused.value.breaks) == 1


def test_an_attribute_that_may_be_absent_is_no_break(repository: Repository) -> None:
    once = {each: deepcopy(schema) for each, schema in published(BEFORE).items()}
    for name, attribute in (("attributes", "reason"), ("kafka-headers", "ce_reason")):
        del once[f"{name}{SUFFIX}"]["properties"][attribute]
    repository.publish(once, "v0.1.0")
    assert said(repository.schemas, BEFORE) == "event contracts: 4 schemas, compatible with the 4 of v0.1.0"
