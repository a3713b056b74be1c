"""What an import keeps of what the register said, and what the next makes of it."""

import json

from steerco.register_import.memory import memory_of, news
from steerco.register_import.plan import Command, Memory, facts_of
from steerco.testkit.registers import found


def kept(*commands: Command) -> Memory:
    """What portfolio would answer after these commands."""
    return memory_of(command["body"] for command in commands)


def test_what_was_loaded_is_remembered_as_it_was_said() -> None:
    entries = found({}, {"budget": "Withheld"}).entries
    assert kept(*news(entries, {}, "Register")) == {entry.reference: facts_of(entry) for entry in entries}


def test_a_row_is_kept_by_a_command_on_its_project_under_its_source() -> None:
    (entry,) = found({}).entries
    (command,) = news([entry], {}, "Register")
    assert command["path"] == f"/projects/{entry.project_id}/register-row"
    assert (command["body"]["source"], command["body"]["reference"]) == ("Register", "1")
    assert json.loads(command["body"]["said"]["title"]) == {"title": "Register on line"}


def test_only_what_is_said_otherwise_is_kept_anew() -> None:
    memory = kept(*news(found({}, {}).entries, {}, "Register"))
    (command,) = news(found({}, {"name": "Another title"}).entries, memory, "Register")
    assert command["body"]["reference"] == "2"
    assert list(news(found({}, {}).entries, memory, "Register")) == []


def test_a_row_that_is_withheld_is_not_remembered() -> None:
    assert memory_of([{"reference": "1", "said": None}, {"reference": "2", "said": {}}]) == {"2": {}}
