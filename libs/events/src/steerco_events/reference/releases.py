"""Holds the schemas of the contracts, the envelope's too, against those that were published before, as git has them.

`python -m steerco_events.reference.releases docs/reference/schemas` names every break and then fails. Compared is
with the two newest tags `v*` (two, so that the commit of a release is held against the release before it). As long
as there is none, every commit counts as a release: compared is with the last one, with the one before, and with
where this branch left the main one. Where git has none of these, as in an exported tree, it says so and passes.
"""

import io
import subprocess
import sys
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from steerco_events.contracts.catalog import CATALOG
from steerco_events.reference.compatibility import Break, Incompatible, Schema, catalog_breaks
from steerco_events.reference.schemas import SUFFIX, file_name, published
from steerco_events.registry import Registry

MAIN = ("origin/HEAD", "origin/main", "main")


def published_before(folder: Path) -> Mapping[str, Mapping[str, Schema]]:
    """The schemas of each earlier commit that there is to compare with, by its tag or short id."""
    return {ref: found for ref in _earlier(folder) if (found := _schemas_at(folder, ref))}


def written_too_early(before: Collection[str], registry: Registry) -> Iterator[Break]:
    """New versions of known events that are written, though the release before can't read them.

    `before` are the names of that release's schema files. An event that is new altogether may be written at once.
    """
    known = {name.rpartition(".v")[0] for name in before}
    for event_type in registry:
        name = file_name(event_type)
        if event_type == registry.written(event_type.name) and event_type.name in known and name not in before:
            text = "the release before can't read it: declare it written=False for one release"
            yield Break(name.removesuffix(SUFFIX), "", "written-too-early", text)


def compare(folder: Path, registry: Registry, say: Callable[[str], None]) -> None:
    """Say with what the contracts were compared. Raises `Incompatible`."""
    now = published(registry)
    earlier = published_before(folder)
    if not earlier:
        say("event contracts: git has no earlier schemas here to compare with")
    for ref, before in earlier.items():
        if broken := [*catalog_breaks(before, now, SUFFIX), *written_too_early(before, registry)]:
            raise Incompatible(broken)
        say(f"event contracts: {len(now)} schemas, compatible with the {len(before)} of {ref}")


def _earlier(folder: Path) -> Sequence[str]:
    if tags := _git(folder, "tag", "--merged", "HEAD", "--list", "v[0-9]*", "--sort=-v:refname"):
        return tags[:2]
    branched = [found for main in MAIN for found in _git(folder, "merge-base", "HEAD", main)]
    commits = ("HEAD", "HEAD^", *branched)
    return list(dict.fromkeys(short for each in commits for short in _git(folder, "rev-parse", "--short", each)))


def _git(folder: Path, *arguments: str) -> Sequence[str]:
    """The lines that git answers; none if it can't."""
    return _answer(folder, *arguments).decode().split()


def _answer(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)  # noqa: S603, S607 ours
    except FileNotFoundError:
        return b""
    return done.stdout if done.returncode == 0 else b""


def _schemas_at(folder: Path, ref: str) -> Mapping[str, Schema]:
    if not (archived := _answer(folder, "archive", "--format=tar", ref, ".")):
        return {}
    with tarfile.open(fileobj=io.BytesIO(archived)) as archive:
        files = {Path(each.name).name: archive.extractfile(each) for each in archive.getmembers() if each.isfile()}
        return {name: msgspec.json.decode(file.read()) for name, file in files.items() if file}


if __name__ == "__main__":
    try:
        compare(Path(sys.argv[1]), CATALOG, print)
    except Incompatible as incompatible:
        sys.exit(f"event contracts:\n{incompatible}")
