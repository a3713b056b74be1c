"""The program of the page on subscribing has each event once, whatever becomes of the topic."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from steerco_events.envelope import Recorded
from steerco_events.ids import new_id
from steerco_events.positions import partition_of
from steerco_events.testkit.tally import Counted
from tests.docs.published import PATIENCE, Published, block


@dataclass(frozen=True)
class Program:
    """The program of the page, with a database of its own."""

    file: Path
    published: Published

    @property
    def database(self) -> Path:
        return self.file.with_suffix(".db")

    def run(self, expect: int = 0) -> str:
        """Run it to the end of the topic; what it said when it failed."""
        done = subprocess.run(
            [sys.executable, self.file, self.published.bootstrap, self.published.topic, self.database],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            env=os.environ,
        )
        assert done.returncode == expect, done.stderr
        return done.stderr

    def copied(self) -> dict[str, list[tuple[Any, ...]]]:
        """What it has, by stream, in the order in which it came."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        with sqlite3.connect(self.database) as connection:
            for row in connection.execute("SELECT subject, id, type, stream_version, data FROM events ORDER BY rowid"):
                found.setdefault(row[0], []).append(row[1:])
        connection.close()
        return found

    def tell(self, statements: str) -> None:
        """Change its database, as whoever runs it does."""
        with sqlite3.connect(self.database) as connection:
            connection.executescript(statements)
        connection.close()

    async def has_all(self) -> bool:
        """Whether it has each event of the log once, those of a stream in order."""
        return self.copied() == rows(await self.published.events())


def rows(events: Sequence[Recorded]) -> dict[str, list[tuple[Any, ...]]]:
    """What the program has when it has these."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for event in events:
        row = (str(event.id), event.type, event.stream_version, event.data.decode())
        found.setdefault(event.stream, []).append(row)
    return found


@pytest.fixture
def program(published: Published, tmp_path: Path) -> Program:
    file = tmp_path / "copy_events.py"
    file.write_text(block("python"))
    return Program(file, published)


@pytest.mark.kafka
async def test_the_program_of_the_page_copies_each_event_once_however_often_it_is_sent(program: Program) -> None:
    published = program.published
    events = await published.events()
    await published.publish(events[:20])
    program.run()
    assert await program.has_all()
    await published.publish(events[5:25])
    await published.write(streams=5, times=2)
    await published.relay()
    program.run()
    program.run()
    assert await program.has_all()


@pytest.mark.kafka
async def test_the_program_of_the_page_goes_on_with_a_topic_that_was_made_anew(program: Program) -> None:
    published = program.published
    program.run()
    await published.make_topic_anew()
    await published.write(streams=3, times=1)
    await published.publish(await published.events())
    program.run()
    assert await program.has_all()


@pytest.mark.kafka
async def test_the_program_of_the_page_misses_nothing_of_a_topic_that_grew_beyond_its_place(program: Program) -> None:
    published = program.published
    await published.publish(await published.events())
    program.run()
    await published.make_topic_anew()
    await published.write(streams=5, times=9)
    await published.relay()
    program.run()
    assert await program.has_all()


@pytest.mark.kafka
@pytest.mark.parametrize("another_begins", [-1, 0])
async def test_the_program_of_the_page_misses_no_stream_that_ended_before_its_place(
    program: Program, another_begins: int
) -> None:
    published = program.published
    events = await published.events()
    await published.publish(events)
    program.run()
    await published.make_topic_anew()
    beside = [event for event in events if event.partition == partition_of("tally-0")]
    await published.log.append("tally-0", *[Counted(by=1)] * (len(beside) + another_begins))
    await published.log.append(another_beside("tally-0"), *[Counted(by=1)] * 5)
    await published.log.seal()
    await published.relay()
    program.run()
    assert await program.has_all()


def another_beside(stream: str) -> str:
    """A new stream in the partition of this one."""
    return next(name for n in count() if partition_of(name := f"another-{n}") == partition_of(stream))


@pytest.mark.kafka
async def test_the_program_of_the_page_takes_what_is_published_again_after_something_newer(program: Program) -> None:
    published = program.published
    await published.make_topic_anew()
    await published.log.append(another_beside("tally-0"), *[Counted(by=1)] * 3)
    await published.log.seal()
    events = await published.events()
    await published.publish(events[-3:])
    program.run()
    await published.publish(events)
    program.run()
    assert await program.has_all()


@pytest.mark.kafka
async def test_the_program_of_the_page_stops_until_what_is_missing_is_published_anew(program: Program) -> None:
    published = program.published
    program.run()
    before = program.copied()
    await published.write(streams=5, times=2)
    await published.log.append(another_beside("tally-0"), Counted(by=1))
    await published.log.seal()
    *events, another = await published.events()
    newest = [event for event in events if event.stream == "tally-0"][-1]
    await published.publish([newest, events[0], another])
    for _ in range(2):
        said = program.run(expect=1)
        assert f"lacks events before position {newest.position}: the topic has to be published anew" in said
    assert program.copied() == before
    await published.publish([*events, another])
    program.run()
    assert await program.has_all()


@pytest.mark.kafka
async def test_the_program_of_the_page_stops_where_the_log_was_restored_and_goes_on_when_told(program: Program) -> None:
    published = program.published
    program.run()
    before = program.copied()
    *kept, lost = await published.events()
    other = replace(lost, id=new_id(), generation=2)
    await published.publish([other])
    said = program.run(expect=1)
    assert f"partition {lost.partition};" in said
    assert f"?after=1.{lost.position}" in said
    assert program.copied() == before
    told = (
        block("sql").replace("2400", str(kept[-1].position)).replace("partition = 7", f"partition = {lost.partition}")
    )
    program.tell(told)
    program.run()
    assert program.copied() == rows([*kept, other])
    await published.publish([*kept, lost, other])
    program.run()
    assert program.copied() == rows([*kept, other])
    await published.make_topic_anew()
    more = replace(other, id=new_id(), position=other.position + 1, stream_version=other.stream_version + 1)
    await published.publish([*kept, other, more])
    program.run()
    assert program.copied() == rows([*kept, other, more])
