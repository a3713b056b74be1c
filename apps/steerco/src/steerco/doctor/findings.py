"""What is found of an edition's health, and how it is judged: pure, from what the services answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from steerco.doctor.answers import Log, Progress, Reaction, Readiness, View
from steerco.views import way_out
from steerco_events.consumer_names import consumer_name
from steerco_events.positions import kept_of

type Grade = Literal["fine", "look", "failing"]

SKEW = timedelta(seconds=5)
SEALED_WITHIN = timedelta(seconds=30)
"""A quiet log is said to be complete every few seconds."""

WATCHING = "docs/how-to/watch-operations.md"
UNITS = "docs/how-to/report-for-a-unit.md#start-it"
UPGRADING = "docs/how-to/upgrade-and-scale.md"
WELL = "docs/how-to/back-up-and-restore.md#is-it-well"

OPEN_AT_MOST = timedelta(seconds=30)
SIGNED_WITHIN = timedelta(minutes=5)
KNOWN_WITHIN = timedelta(seconds=60)
MOST_BEHIND = 1000
"""Positions that a consumer may be behind while it is at work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, what it is like, and if it is not fine the command to run or the page to read."""

    grade: Grade
    subject: str
    said: str
    then: str | None = None


def clocks(theirs: datetime | None, ours: datetime) -> Iterator[Finding]:
    """Whether the edition's clock and ours agree."""
    if theirs is None:
        return
    apart = abs(theirs - ours)
    if apart <= SKEW:
        yield Finding("fine", "clocks", "the edition's and this machine's agree")
    else:
        yield Finding("look", "clocks", f"the edition's is {apart.total_seconds():,.0f} s from this one's", WELL)


def parts(there: Sequence[str], every: Sequence[str]) -> Iterator[Finding]:
    """Whether the edition has every service. That of a unit has reporting alone."""
    if missing := [service for service in every if service not in there]:
        yield Finding("look", "services", f"there is no {', '.join(missing)}: is the edition a unit's?", UNITS)


def releases(ours: str, theirs: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the services are of the release that this command is of."""
    others = [f"{service} of {release}" for service, release in theirs.items() if release != ours]
    if others:
        said = f"this command is of {ours}, {', '.join(others)}: is a roll-out under way?"
        yield Finding("look", "releases", said, f"{UPGRADING}#roll-a-release-out")
    elif theirs:
        yield Finding("fine", "releases", f"the services are of {ours}, as this command is")


def silent(subject: str, said: str) -> Finding:
    """What could not be asked."""
    return Finding("failing", subject, said, f"{WATCHING}#targetdown")


def readiness(process: str, answer: Readiness) -> Iterator[Finding]:
    """What `/readyz` of a service, or of its worker, says: whether it is ready, and what fails behind it."""
    service = process.partition(" ")[0]
    if not answer.ready:
        yield Finding("failing", process, answer.detail, f"{WATCHING}#errorrate")
    for name, error in answer.degraded.items():
        yield Finding("failing", process, f"{name}: {error}", _way_on(service, name, error))
    if answer.ready and not answer.degraded:
        yield Finding("fine", process, "is ready; nothing fails behind it")


def _way_on(service: str, name: str, error: str) -> str:
    if error == "LogRewound":
        return way_out(service, name.partition(" in the log of ")[0])
    if name.startswith("parked for "):
        return "steerco log parked list"
    if name.startswith("timers "):
        return "steerco log timers list --failing"
    return f"{WATCHING}#workfailing"


def sealing(log: Log, now: datetime) -> Iterator[Finding]:
    """Whether the log is sealed, and up to when it is known to be complete."""
    subject = f"log of {log.service}"
    if log.open_since and now - log.open_since > OPEN_AT_MOST:
        said = f"{log.unsealed:,} positions are not sealed: an append is open since {log.open_since:%H:%M:%S} UTC"
        yield Finding("failing", subject, said, f"{WATCHING}#barrierheld")
    elif now - log.watermark > SEALED_WITHIN:
        said = f"nobody seals it since {log.watermark:%Y-%m-%d %H:%M:%S} UTC"
        yield Finding("failing", subject, said, f"{WATCHING}#sealerwithoutleader")
    else:
        yield Finding("fine", subject, f"sealed up to {log.position:,} in generation {len(log.generations)}")


def signing(log: Log) -> Iterator[Finding]:
    """Whether the head is signed, and how old that is."""
    subject, signed = f"signature of {log.service}", log.signed
    if not log.position:
        return
    if signed is None:
        yield Finding("look", subject, "not signed: no key is told", "steerco log key make FILE")
        return
    age = log.watermark - signed.watermark
    if signed.position < log.position and age > SIGNED_WITHIN:
        said = f"signed up to {signed.position:,} of {log.position:,}, {age.total_seconds() / 60:,.0f} min ago"
        yield Finding("look", subject, said, "steerco verify")
    else:
        yield Finding("fine", subject, f"signed up to {signed.position:,}")


def relaying(log: Log) -> Iterator[Finding]:
    """Whether all of the log is in its topic, where it has one."""
    if (relay := log.relay) is None:
        return
    subject, behind = f"topic of {log.service}", relay.behind
    if behind > MOST_BEHIND:
        yield Finding("look", subject, f"{behind:,} positions are not published yet", "steerco log status")
    else:
        yield Finding("fine", subject, f"published up to {relay.position:,}")


def reacting(of: Log, logs: Mapping[str, Log]) -> Iterator[Finding]:
    """Whether the reactions of a service have what the logs had a while before."""
    for each in of.reactions:
        if (log := logs.get(each.service)) is None:
            continue
        position = max(each.positions)
        subject = f"{each.reaction} in {each.service}"
        if (kept := _kept_before(position, each.generation, log)) is not None:
            yield _stopped(subject, position, kept, way_out(of.service, each.reaction))
        elif left := _left(each, log):
            said = f"does not come on: {left:,} positions behind in the partition that is furthest back"
            yield Finding("look", subject, said, f"{WATCHING}#consumerstuck")
        else:
            yield Finding("fine", subject, f"at {position:,} of {log.position:,}")


def is_behind(of: Log, logs: Mapping[str, Log]) -> bool:
    """Whether a reaction of a service has something to read, and is not stopped."""
    return any(
        _left(each, log)
        for each in of.reactions
        if (log := logs.get(each.service)) is not None
        and _kept_before(max(each.positions), each.generation, log) is None
    )


def _left(reaction: Reaction, log: Log) -> int:
    """Positions to the end of the log, in the partition where most are. An earlier release tells no partitions."""
    heads = log.positions or reaction.positions
    return max(0, *(head - have for have, head in zip(reaction.positions, heads, strict=True)))


def viewing(service: str, of: View, logs: Mapping[str, Log]) -> Iterator[Finding]:
    """How far the view of a service has come in each log, and whether one is being made that waits."""
    for build in of.builds:
        if build.state == "live":
            for at in build.progress:
                yield from _reading(service, consumer_name(of.view, of.version, build.build), at, logs)
        elif build.way and build.way.waits_for:
            said = f"build {build.build} waits: {build.way.waits_for}"
            yield Finding("failing", of.view, said, f"steerco rebuild {of.view}")
    if all(build.state != "live" for build in of.builds):
        yield Finding("failing", of.view, "there is none to read yet", f"steerco rebuild {of.view}")


def _reading(service: str, consumer: str, at: Progress, logs: Mapping[str, Log]) -> Iterator[Finding]:
    log = logs.get(at.service)
    if log is None:
        return
    subject = f"{consumer} in {at.service}"
    if (kept := _kept_before(at.position, at.generation, log)) is not None:
        yield _stopped(subject, at.position, kept, way_out(service, consumer))
        return
    if at.watermark is None and log.position:
        yield Finding("look", subject, "it is not known up to when it has all", f"{WATCHING}#viewstale")
        return
    behind = max(0, log.position - at.position)
    late = log.watermark - at.watermark if at.watermark else timedelta()
    if behind > MOST_BEHIND or late > KNOWN_WITHIN:
        said = f"{behind:,} positions and {max(late, timedelta()).total_seconds():,.0f} s behind"
        yield Finding("look", subject, said, f"{WATCHING}#viewstale")
    else:
        yield Finding("fine", subject, f"at {at.position:,} of {log.position:,}")


def _kept_before(position: int, generation: int, log: Log) -> int | None:
    """What a restored log has kept of the generation that a consumer is in, if that is less than what it has read."""
    began = tuple(each.from_position for each in log.generations)
    kept = kept_of(began, generation) if generation else None
    return kept if kept is not None and position > kept else None


def _stopped(subject: str, position: int, kept: int, then: str) -> Finding:
    said = f"stopped at {position:,}: the log was restored and kept {kept:,} of what it has read"
    return Finding("failing", subject, said, then)


def worst(findings: Sequence[Finding]) -> Grade:
    """The gravest grade among them."""
    grades: Sequence[Grade] = ("failing", "look")
    return next((grade for grade in grades if any(each.grade == grade for each in findings)), "fine")
