-- On whose behalf an event was recorded. It goes into the hash with the actor, in one netstring - so an event
-- that nobody else stands behind keeps the hash that it was sealed with.

ALTER TABLE log.events ADD COLUMN on_behalf_of uuid;

CREATE OR REPLACE FUNCTION log.event_hash(e log.events) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT sha256(convert_to(
    log.netstring(e.position::text) || log.netstring(e.id::text)
    || log.netstring(e.stream) || log.netstring(e.stream_version::text)
    || log.netstring(e.partition::text) || log.netstring(e.type) || log.netstring(e.schema_version::text)
    || log.netstring(log.microseconds(e.recorded_at)) || log.netstring(log.microseconds(e.valid_at))
    || log.netstring(concat_ws('/', e.actor, e.on_behalf_of)) || log.netstring(e.actor_title) || log.netstring(e.client)
    || log.netstring(e.reason) || log.netstring(e.correlation_id::text) || log.netstring(e.causation_id::text)
    || log.netstring(e.traceparent) || log.netstring(array_to_string(e.org_units, ',')), 'UTF8') || e.data) $$;

DROP VIEW log.sealed_events;
CREATE VIEW log.sealed_events AS
    SELECT e.*, s.sealed_at, g.generation
    FROM log.events e
    CROSS JOIN LATERAL (
        SELECT sealed_at FROM log.seals WHERE last >= e.position ORDER BY last LIMIT 1
    ) s
    CROSS JOIN LATERAL (
        SELECT max(generation) AS generation FROM log.generations WHERE from_position < e.position
    ) g
    WHERE e.position <= (SELECT position FROM log.head);
GRANT SELECT ON log.sealed_events TO "{app}", "{feed}";

-- Who asked for what, and from where - beside the log, and kept for some time only.

CREATE TABLE log.accesses (
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    actor uuid,
    client text,
    address text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    operation text COLLATE "C",
    path text NOT NULL,
    subject text COLLATE "C",
    status smallint NOT NULL,
    is_sensitive boolean NOT NULL,
    traceparent text,
    PRIMARY KEY (at, id)
);
CREATE INDEX ON log.accesses (actor, at, id);
CREATE INDEX ON log.accesses (subject, at, id) WHERE subject IS NOT NULL;
GRANT SELECT, INSERT, DELETE ON log.accesses TO "{app}"
