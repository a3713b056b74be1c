"""What must hold after every round: the log is sound, the topic is the log, the views are what a rebuild makes of it.

And of the commands: what was acknowledged is there once, what was refused is not there, what stayed unclear is not
there twice; and what one service decided has had its effect in the other, once.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from itertools import chain

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from steerco.edition.services import BY_NAME
from steerco_events.ids import derived_id
from steerco_events.positions import Token
from steerco_events.projections.tables import table_name
from steerco_events.testkit.soundness import unsound
from tests.faults.cluster import LOGS, RUNNING, Cluster
from tests.faults.load import Load
from tests.faults.operating import live_build, rebuild
from tests.faults.scene import NotWhole, Scene
from tests.faults.standing import published
from tests.faults.topic import Topic

SETTLE_SECONDS = 120.0
REACTION = "steerco-reaction"

_HEAD = text(
    "SELECT h.began, h.position, h.positions, CASE WHEN s.is_called THEN s.last_value ELSE 0 END AS drawn"
    " FROM log.sealed_head h, log.positions s"
)
_EVENTS = text("SELECT position, generation, partition, stream, id, data FROM log.sealed_events ORDER BY position")
_BY_REASON = text(
    "SELECT reason, count(DISTINCT correlation_id) AS times FROM log.events WHERE client <> :reaction GROUP BY reason"
)
_APPROVED = text("SELECT stream FROM log.events WHERE type = 'steerco.intake.pitch-approved'")
_CHARTERED = text(
    "SELECT stream, count(*) AS times FROM log.events WHERE type IN"
    " ('steerco.portfolio.project-chartered', 'steerco.portfolio.project-charter-refused') GROUP BY stream"
)


async def settled(cluster: Cluster) -> None:
    """Return when everything is sealed, published, projected and reacted to. Raises `NotWhole`."""
    waiting, before = "", object()
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while True:
                heads, waiting = await _unsettled(cluster)
                if not waiting and heads == before:
                    return
                before = object() if waiting else heads
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise NotWhole(f"after {SETTLE_SECONDS:.0f} s: {waiting}") from None


async def _unsettled(cluster: Cluster) -> tuple[object, str]:
    if died := cluster.died():
        return None, f"{', '.join(died)} died"
    heads: dict[str, int] = {}
    for service in LOGS:
        async with cluster.engine(service).connect() as connection:
            head = (await connection.execute(_HEAD)).one()
        if head.position < head.drawn:
            return heads, f"the log of {service} is sealed up to {head.position} of {head.drawn}"
        if (sent := await published(cluster, service)) < head.position:
            return heads, f"the log of {service} is published up to {sent} of {head.position}"
        heads[service] = head.position
    token = await token_of_heads(cluster)
    for service in RUNNING:
        async with cluster.client(service, timeout=10) as client:
            try:
                answer = await client.get(PLACES[service], headers={"Consistency-Token": token})
            except httpx.TransportError as error:
                return heads, f"{service} does not answer: {error!r}"
        if answer.status_code != 200:
            return heads, f"{service} answers {answer.status_code}: {answer.text}"
    return heads, ""


async def token_of_heads(cluster: Cluster) -> str:
    """What covers all that is sealed."""
    seen = {}
    for service in LOGS:
        async with cluster.engine(service).connect() as connection:
            head = (await connection.execute(_HEAD)).one()
        seen[service] = (len(head.began), dict(enumerate(head.positions)))
    return Token(seen).encode()


PLACES: Mapping[str, str] = {"intake": "/pitches?limit=1", "portfolio": "/units", "reporting": "/portfolio"}
"""What is asked of each service to learn whether it has applied what a token covers."""


async def broken(scene: Scene) -> Sequence[str]:
    """Which invariants are broken, a line each. Every view is made anew and compared."""
    found, cluster = list[str](), scene.cluster
    for service in LOGS:
        async with cluster.engine(service).connect() as connection:
            found += [f"{service}: {each}" for each in await unsound(connection)]
            found += await _commands_of(connection, service, scene.load)
            found += await _differences(connection, service, scene.topics[service])
    found += await _effects(cluster, scene.lost)
    found += scene.load.stale
    scene.load.stale.clear()
    return [*found, *await differences_of_rebuilds(cluster)]


async def _commands_of(connection: AsyncConnection, service: str, load: Load) -> Sequence[str]:
    rows = await connection.execute(_BY_REASON, {"reaction": REACTION})
    times = {row.reason: row.times for row in rows}
    found = []
    for key, sent in load.ledger.items():
        there = times.get(key, 0)
        allowed = {"acknowledged": (1,), "refused": (0,), "unclear": (0, 1)}[sent.outcome]
        if sent.service == service and there not in allowed:
            found.append(f"{service}: the command {key!r} was {sent.outcome} and is there {there} times")
    return found


async def _differences(connection: AsyncConnection, service: str, topic: Topic) -> Sequence[str]:
    """Whether the topic has what the log has, per key in its order, each first time at the right place."""
    log: dict[str, list[tuple[int, int, str, bytes]]] = defaultdict(list)
    for row in await connection.execute(_EVENTS):
        log[row.stream].append((row.generation, row.position, str(row.id), row.data))
    began = (await connection.execute(_HEAD)).one().began
    await topic.read_on()
    found = [f"{service}: {each}" for each in topic.disorder]
    for stream in log.keys() | topic.streams.keys():
        have, want = topic.of_stream(stream, began), log.get(stream, [])
        if have != want:
            places = [(each[0], each[1]) for each in want if each not in have]
            surplus = [(each[0], each[1]) for each in have if each not in want]
            found.append(f"{service}: {stream} misses {places} in the topic, which has {surplus} beside the log")
    return found


async def approved_pitches(cluster: Cluster) -> set[str]:
    """The streams of the pitches that are approved."""
    async with cluster.engine("intake").connect() as connection:
        return set((await connection.execute(_APPROVED)).scalars())


async def _effects(cluster: Cluster, lost: Collection[str]) -> Sequence[str]:
    """Whether each approved pitch has led to one project, or to one record of why not; one that is lost, perhaps."""
    approved = await approved_pitches(cluster)
    async with cluster.engine("portfolio").connect() as connection:
        times = {row.stream: row.times for row in await connection.execute(_CHARTERED)}
    wanted, possible = _projects_of(approved), _projects_of(lost)
    return [
        *(f"{stream} was decided {times.get(stream, 0)} times" for stream in sorted(wanted) if times.get(stream) != 1),
        *(f"{stream} was decided {times[stream]} times" for stream in times.keys() & possible if times[stream] > 1),
        *(f"{stream} came of no approved pitch" for stream in sorted(times.keys() - wanted - possible)),
    ]


def _projects_of(pitches: Collection[str]) -> set[str]:
    return {f"project-{derived_id('project', pitch.removeprefix('pitch-'))}" for pitch in pitches}


async def differences_of_rebuilds(cluster: Cluster) -> Sequence[str]:
    """In what the views differ from what is made anew of the logs, which is read from then on; all at once."""
    found = await asyncio.gather(*(_differences_of_a_rebuild(cluster, service) for service in RUNNING))
    return list(chain.from_iterable(found))


async def _differences_of_a_rebuild(cluster: Cluster, service: str) -> Sequence[str]:
    live, made = await rebuild(cluster, service)
    before, after = await _rows(cluster, service, live), await _rows(cluster, service, made)
    return [f"{service} and its rebuild: {each}" for each in differences(before, after)]


type Rows = Mapping[str, Set[str]]
"""The rows of a build's tables, as text, by projection."""


def differences(some: Rows, others: Rows) -> Sequence[str]:
    """Which rows only one of two builds has, or one at two moments, a line for each projection."""
    return [
        f"{len(differ)} rows of {name} differ: {sorted(differ)[:2]}"
        for name, rows in some.items()
        if (differ := rows ^ others[name])
    ]


async def rows_that_are_read(cluster: Cluster, service: str) -> Rows:
    """Those of the live build."""
    async with cluster.client(service, timeout=30) as client:
        return await _rows(cluster, service, await live_build(client, service))


async def _rows(cluster: Cluster, service: str, build: int) -> Rows:
    view = BY_NAME[service].view
    async with cluster.engine(service).connect() as connection:
        found = {}
        for projection in view.projections:
            query = text(f'SELECT t::text FROM views."{table_name(view, projection, build)}" t')
            found[projection.name] = set((await connection.execute(query)).scalars())
        return found
