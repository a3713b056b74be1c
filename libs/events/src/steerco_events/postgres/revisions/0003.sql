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
