-- Seals keep what they seal: the hash of each event and of the seal before.

CREATE FUNCTION log.netstring(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT coalesce(octet_length(value)::text || ':' || value, '-') $$;

CREATE FUNCTION log.microseconds(instant timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT (extract(epoch FROM instant) * 1000000)::bigint::text $$;

CREATE FUNCTION log.event_hash(e log.events) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT sha256(convert_to(
    log.netstring(e.position::text) || log.netstring(e.id::text)
    || log.netstring(e.stream) || log.netstring(e.stream_version::text)
    || log.netstring(e.partition::text) || log.netstring(e.type) || log.netstring(e.schema_version::text)
    || log.netstring(log.microseconds(e.recorded_at)) || log.netstring(log.microseconds(e.valid_at))
    || log.netstring(e.actor::text) || log.netstring(e.actor_title) || log.netstring(e.client)
    || log.netstring(e.reason) || log.netstring(e.correlation_id::text) || log.netstring(e.causation_id::text)
    || log.netstring(e.traceparent) || log.netstring(array_to_string(e.org_units, ',')), 'UTF8') || e.data) $$;

CREATE FUNCTION log.seal_hash(
    previous bytea, generation integer, first bigint, last bigint, sealed_at timestamptz, hashes bytea
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT sha256(previous || convert_to(
    log.netstring(generation::text) || log.netstring(first::text) || log.netstring(last::text)
    || log.netstring(log.microseconds(sealed_at)), 'UTF8') || hashes) $$;

ALTER TABLE log.seals
    ADD COLUMN generation integer,
    ADD COLUMN hashes bytea,
    ADD COLUMN previous bytea,
    ADD COLUMN hash bytea;
ALTER TABLE log.seals DISABLE TRIGGER refuse_change;

DO $$
DECLARE
    seal log.seals;
    latest bytea := decode(repeat('00', 32), 'hex');
BEGIN
    FOR seal IN SELECT * FROM log.seals ORDER BY last LOOP
        seal.previous := latest;
        SELECT max(generation) INTO seal.generation FROM log.generations WHERE from_position < seal.last;
        SELECT string_agg(log.event_hash(e), ''::bytea ORDER BY position) INTO seal.hashes
            FROM log.events e WHERE position BETWEEN seal.first AND seal.last;
        latest := log.seal_hash(latest, seal.generation, seal.first, seal.last, seal.sealed_at, seal.hashes);
        UPDATE log.seals SET generation = seal.generation, hashes = seal.hashes, previous = seal.previous,
            hash = latest WHERE last = seal.last;
    END LOOP;
END $$;

ALTER TABLE log.seals ENABLE TRIGGER refuse_change;
ALTER TABLE log.seals
    ALTER COLUMN generation SET NOT NULL,
    ALTER COLUMN hashes SET NOT NULL,
    ALTER COLUMN previous SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL;

ALTER TABLE log.head ADD COLUMN hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex');
UPDATE log.head SET hash = coalesce((SELECT hash FROM log.seals ORDER BY last DESC LIMIT 1), hash);

CREATE TABLE log.signed_heads (
    position bigint NOT NULL,
    generation integer NOT NULL,
    hash bytea NOT NULL,
    watermark timestamptz NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    signature bytea NOT NULL,
    PRIMARY KEY (generation, position)
);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log.signed_heads
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();

DROP VIEW log.sealed_head;
CREATE VIEW log.sealed_head AS
    SELECT h.position, h.positions, h.watermark, h.hash, g.began, cardinality(g.began) AS generation,
        s.position AS signed_position, s.generation AS signed_generation, s.hash AS signed_hash,
        s.watermark AS signed_watermark, s.key_id, s.signature
    FROM log.head h
    CROSS JOIN LATERAL (SELECT array_agg(from_position ORDER BY generation) AS began FROM log.generations) g
    LEFT JOIN LATERAL (
        SELECT * FROM log.signed_heads ORDER BY generation DESC, position DESC LIMIT 1
    ) s ON true;

-- A log that comes from elsewhere keeps its positions, and only a log in which nothing was sealed takes it.

CREATE FUNCTION log.is_taken_over() RETURNS boolean LANGUAGE sql STABLE AS
$$ SELECT current_setting('steerco.taking_over', true) = 'on' AND (SELECT position = 0 FROM log.head) $$;

CREATE OR REPLACE FUNCTION log.draw_position() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.position IS NOT NULL AND log.is_taken_over() THEN
        RETURN NEW;
    END IF;
    PERFORM pg_advisory_xact_lock_shared({lock}, 0);
    NEW.position := nextval('log.positions');
    RETURN NEW;
END $$;

CREATE FUNCTION log.draw_beyond(last bigint) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog AS $$
BEGIN
    IF NOT log.is_taken_over() THEN
        RAISE EXCEPTION 'positions are moved only while a log is taken over';
    END IF;
    RETURN setval('log.positions', last);
END $$;
REVOKE EXECUTE ON FUNCTION log.draw_beyond FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log.draw_beyond TO "{app}";

-- A consumer's work is divided into shards, and shard n of s has the partitions p with p mod s = n.

ALTER TABLE log.checkpoints
    ADD COLUMN shard smallint NOT NULL DEFAULT 0,
    ADD COLUMN shards smallint NOT NULL DEFAULT 1,
    ADD COLUMN began bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE log.checkpoints DROP CONSTRAINT checkpoints_pkey;
ALTER TABLE log.checkpoints ADD PRIMARY KEY (consumer, service, shard);

-- What a consumer could not digest - the stream stands aside, with what came of it since, in order.

CREATE TABLE log.parked (
    consumer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    partition smallint NOT NULL,
    error text NOT NULL,
    parked_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 1,
    tried_at timestamptz NOT NULL,
    asked text COLLATE "C" CHECK (asked IN ('retry', 'skip')),
    asked_by uuid,
    asked_reason text,
    asked_position bigint,
    PRIMARY KEY (consumer, service, stream)
);
CREATE TABLE log.parked_events (
    consumer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    partition smallint NOT NULL,
    headers jsonb NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (consumer, service, position),
    FOREIGN KEY (consumer, service, stream) REFERENCES log.parked ON DELETE CASCADE
);
CREATE INDEX ON log.parked_events (consumer, service, stream, position);

-- What operations had left out for good, for a reaction or for all builds of a view's version.

CREATE TABLE log.skipped_events (
    skipped_for text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    type text COLLATE "C" NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    error text NOT NULL,
    skipped_at timestamptz NOT NULL,
    skipped_by uuid NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (skipped_for, service, position, event_id)
);

-- Where a reaction was taken back to after a restore, from beyond what is left of the other's log.

CREATE TABLE log.accepted_losses (
    consumer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    from_generation integer NOT NULL,
    from_positions bigint[] NOT NULL,
    generation integer NOT NULL,
    kept bigint NOT NULL,
    accepted_at timestamptz NOT NULL,
    accepted_by uuid NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (consumer, service, generation)
);

-- What is due at an instant, written with the event that set it.

CREATE TABLE log.timers (
    stream text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    set_by uuid NOT NULL,
    due_at timestamptz NOT NULL,
    fire_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    PRIMARY KEY (stream, name)
);
CREATE INDEX ON log.timers (fire_at, stream, name);
CREATE INDEX ON log.timers (due_at, stream, name) WHERE attempts > 0;

CREATE TABLE log.timetable (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    rules text NOT NULL
);

-- How far a build has come, for whoever waits for it.

ALTER TABLE log.builds
    ADD COLUMN applied bigint NOT NULL DEFAULT 0,
    ADD COLUMN goal bigint,
    ADD COLUMN rate real,
    ADD COLUMN began_at timestamptz,
    ADD COLUMN progressed_at timestamptz,
    ADD COLUMN doing text,
    ADD COLUMN waits_for text,
    ADD COLUMN accepts_parked boolean NOT NULL DEFAULT false;

-- A build that is read no more is kept for a while. What is left of one that was dropped is its number.

ALTER TABLE log.builds
    ADD COLUMN retired_at timestamptz,
    ADD COLUMN tables text[] NOT NULL DEFAULT '{}',
    DROP CONSTRAINT builds_state_check;
ALTER TABLE log.builds ADD CHECK (state IN ('building', 'live', 'retired', 'dropped'));
UPDATE log.builds b SET
    retired_at = CASE WHEN state = 'retired' THEN now() END,
    tables = coalesce((SELECT array_agg(tablename::text) FROM pg_tables WHERE schemaname = 'views'
        AND starts_with(tablename, b.view || '_')
        AND right(tablename, length('_v' || b.version || '_b' || b.build)) = '_v' || b.version || '_b' || b.build), '{}');

GRANT SELECT ON ALL TABLES IN SCHEMA log TO "{app}";
GRANT INSERT ON log.signed_heads, log.accepted_losses TO "{app}";
GRANT INSERT, UPDATE, DELETE ON log.parked, log.parked_events, log.skipped_events, log.timers, log.timetable TO "{app}";
GRANT SELECT ON log.sealed_head TO "{feed}"
