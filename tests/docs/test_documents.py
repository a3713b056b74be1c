"""The documents are true: every `console` block of the README and the how-tos is run and its output compared.

A line that begins with `$ ` is a command (`> ` continues it), the lines below it are what it prints, where `...`
stands for anything. All commands of a document run in one shell. `<!-- runs on: empty -->` in a document asks for
an empty edition instead of the example.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path

import pytest

from tests.editions.running import RunningEdition, running_edition

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("connect-an-identity-provider.md", "parked-streams.md")
"""They need more than an edition, and have tests of their own."""

DOCUMENTS = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs" / "how-to").glob("*.md") if page.name not in ELSEWHERE),
    ROOT / "docs" / "reference" / "http.md",
]
BETWEEN = "--8<-- {n} --8<--"


@dataclass
class Example:
    """One command of a document and what it should print."""

    line: int
    command: str
    expected: list[str] = field(default_factory=list)


def examples(document: Path) -> list[Example]:
    """The commands of the document's console blocks."""
    found: list[Example] = []
    inside = False
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if line.startswith("```"):
            inside = line == "```console"
        elif inside and line.startswith("$ "):
            found.append(Example(number, line[2:]))
        elif inside and line.startswith("> ") and found:
            found[-1].command += "\n" + line[2:]
        elif inside and found:
            found[-1].expected.append(line)
    return found


def printed(commands: list[str], edition: RunningEdition) -> list[str]:
    """What each command prints, on both streams, in one shell."""
    script = "\n".join(f"echo '{BETWEEN.format(n=n)}'\n{command}" for n, command in enumerate(commands))
    environment = {
        **os.environ,
        **edition.environment,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "COLUMNS": "140",
        "TERM": "dumb",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    return re.split(r"--8<-- \d+ --8<--\n", done.stdout)[1:]


@pytest.fixture(scope="module")
def editions() -> Iterator[dict[str, RunningEdition]]:
    """An edition with the example and an empty one."""
    with running_edition("--example") as example, running_edition("--empty") as empty:
        yield {"example": example, "empty": empty}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_shows_is_what_happens(document: Path, editions: dict[str, RunningEdition]) -> None:
    content = "empty" if "<!-- runs on: empty -->" in document.read_text() else "example"
    shown = examples(document)
    assert shown, f"{document.name} shows no command"
    checker = OutputChecker()
    got = printed([example.command for example in shown], editions[content])
    for example, output in zip(shown, got, strict=True):
        expected = "\n".join(example.expected).strip()
        matches = checker.check_output(f"{expected}\n", f"{output.strip()}\n", ELLIPSIS | NORMALIZE_WHITESPACE)
        assert matches, f"{document.name}:{example.line}: $ {example.command}\nexpected:\n{expected}\ngot:\n{output}"
