"""Whether a log is sound: what must hold of every log at any moment, asked of its database in one go."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_RULES = {
    "the seals follow one another": (
        "SELECT last FROM (SELECT last, first, hash, previous, sealed_at, lag(last) OVER w AS last_before,"
        " lag(hash) OVER w AS hash_before, lag(sealed_at) OVER w AS sealed_before"
        " FROM log.seals WINDOW w AS (ORDER BY last)) s"
        " WHERE first > last OR first <= last_before OR previous <> hash_before OR sealed_at <= sealed_before"
    ),
    "a seal has the hashes of what lies in it, and nothing else ever lay there": (
        "SELECT s.last FROM log.seals s CROSS JOIN LATERAL ("
        " SELECT coalesce(string_agg(log.event_hash(e), ''::bytea ORDER BY position), '') AS hashes"
        " FROM log.events e WHERE position BETWEEN s.first AND s.last) e"
        " WHERE s.hashes <> e.hashes"
        " OR s.hash <> log.seal_hash(s.previous, s.generation, s.first, s.last, s.sealed_at, s.hashes)"
    ),
    "whatever lies at or below the head was sealed, and nothing above it": (
        "SELECT e.position FROM log.events e CROSS JOIN log.head h"
        " WHERE (e.position <= h.position) <> EXISTS ("
        " SELECT FROM log.seals s WHERE e.position BETWEEN s.first AND s.last)"
    ),
    "the head is at the end of the last seal": (
        "SELECT h.position FROM log.head h, (SELECT * FROM log.seals ORDER BY last DESC LIMIT 1) s"
        " WHERE h.position < s.last OR h.hash <> s.hash OR h.watermark < s.sealed_at"
    ),
    "the head knows the last event of each partition": (
        "SELECT p FROM log.head h, generate_series(0, 11) p WHERE h.positions[p + 1] <> coalesce("
        " (SELECT max(position) FROM log.events WHERE partition = p AND position <= h.position), 0)"
    ),
    "what was appended together was sealed together": (
        "SELECT e.xmin::text::bigint FROM log.events e, log.head h WHERE e.position <= h.position"
        " GROUP BY 1 HAVING count(DISTINCT (SELECT min(last) FROM log.seals WHERE last >= e.position)) > 1"
    ),
    "the versions of a stream are 1, 2, 3, in the order of the log": (
        "SELECT stream FROM (SELECT stream, stream_version, row_number() OVER (PARTITION BY stream ORDER BY position)"
        " AS n FROM log.events) e WHERE stream_version <> n"
    ),
    "a stream is as long as its row says": (
        "SELECT coalesce(s.stream, e.stream) FROM log.streams s FULL JOIN"
        " (SELECT stream, max(stream_version) AS version FROM log.events GROUP BY stream) e USING (stream)"
        " WHERE s.version IS DISTINCT FROM e.version"
    ),
}


async def unsound(connection: AsyncConnection) -> Sequence[str]:
    """What is not as it must be, a line for each rule that is broken; nothing if the log is sound.

    The connection's role must be the app's or the owner's; the transaction must see one moment: `REPEATABLE READ`
    where others write meanwhile.
    """
    found = []
    for rule, query in _RULES.items():
        broken = (await connection.execute(text(f"{query} LIMIT 5"))).scalars().all()
        if broken:
            found.append(f"not so: {rule} (see {', '.join(map(str, broken))})")
    return found
