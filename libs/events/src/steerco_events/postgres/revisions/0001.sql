CREATE SCHEMA log;
CREATE SCHEMA views AUTHORIZATION "{app}";
CREATE SEQUENCE log.positions CACHE 1;

CREATE TABLE log.streams (
    stream text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL CHECK (version > 0)
);

CREATE TABLE log.events (
    position bigint PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    stream text COLLATE "C" NOT NULL,
    stream_version integer NOT NULL,
    partition smallint NOT NULL,
    type text COLLATE "C" NOT NULL,
    schema_version smallint NOT NULL,
    recorded_at timestamptz NOT NULL,
    valid_at timestamptz,
    actor uuid NOT NULL,
    actor_title text NOT NULL,
    client text NOT NULL,
    reason text,
    correlation_id uuid NOT NULL,
    causation_id uuid NOT NULL,
    traceparent text,
    org_units uuid[] NOT NULL,
    data bytea NOT NULL,
    UNIQUE (stream, stream_version)
);

CREATE FUNCTION log.draw_position() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({lock}, 0);
    NEW.position := nextval('log.positions');
    RETURN NEW;
END $$;
CREATE TRIGGER draw_position BEFORE INSERT ON log.events
    FOR EACH ROW EXECUTE FUNCTION log.draw_position();

CREATE FUNCTION log.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'events and seals are never changed or deleted';
END $$;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log.events
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();

CREATE TABLE log.seals (
    last bigint PRIMARY KEY,
    first bigint NOT NULL,
    sealed_at timestamptz NOT NULL UNIQUE,
    epoch bigint NOT NULL
);
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON log.seals
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();

CREATE TABLE log.generations (
    generation integer PRIMARY KEY,
    from_position bigint NOT NULL,
    system_identifier bigint NOT NULL,
    timeline_id integer NOT NULL
);
INSERT INTO log.generations
    SELECT 1, 0, s.system_identifier, c.timeline_id
    FROM pg_control_system() s, pg_control_checkpoint() c;

CREATE TABLE log.head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint NOT NULL,
    positions bigint[] NOT NULL,
    watermark timestamptz NOT NULL
);
INSERT INTO log.head (position, positions, watermark)
    VALUES (0, array_fill(0::bigint, ARRAY[12]), '1970-01-01 00:00:00+00');

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

CREATE VIEW log.sealed_head AS
    SELECT h.position, h.positions, h.watermark, g.generation, g.from_position
    FROM log.head h
    CROSS JOIN LATERAL (
        SELECT generation, from_position FROM log.generations ORDER BY generation DESC LIMIT 1
    ) g;

CREATE TABLE log.commands (
    actor uuid NOT NULL,
    operation text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body_hash bytea NOT NULL,
    answer bytea,
    accepted_at timestamptz NOT NULL,
    PRIMARY KEY (actor, operation, key)
);
CREATE INDEX ON log.commands (accepted_at);

CREATE TABLE log.leases (
    name text COLLATE "C" PRIMARY KEY,
    holder uuid NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE log.checkpoints (
    consumer text COLLATE "C" NOT NULL,
    service text COLLATE "C" NOT NULL,
    generation integer NOT NULL,
    positions bigint[] NOT NULL,
    offsets bigint[] NOT NULL,
    watermark timestamptz,
    PRIMARY KEY (consumer, service)
);

CREATE TABLE log.builds (
    view text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    build integer NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('building', 'live', 'retired')),
    requested_at timestamptz NOT NULL,
    live_at timestamptz,
    PRIMARY KEY (view, version, build)
);
CREATE UNIQUE INDEX ON log.builds (view, version) WHERE state = 'live';
CREATE UNIQUE INDEX ON log.builds (view, version) WHERE state = 'building';

DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L', current_database(), 'read committed');
    EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = %L', current_database(), '60s');
END $$;

GRANT USAGE ON SCHEMA log TO "{app}", "{feed}";
GRANT USAGE ON SEQUENCE log.positions TO "{app}";
GRANT SELECT ON ALL TABLES IN SCHEMA log TO "{app}";
GRANT SELECT ON log.positions TO "{app}";
GRANT INSERT ON log.events, log.seals, log.generations TO "{app}";
GRANT INSERT, UPDATE ON log.streams, log.head TO "{app}";
GRANT INSERT, UPDATE, DELETE ON log.commands, log.leases, log.checkpoints, log.builds TO "{app}";
GRANT SELECT ON log.sealed_events, log.sealed_head TO "{feed}"
