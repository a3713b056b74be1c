-- By what the cursors of those are sealed who may not know how much happens elsewhere.

CREATE TABLE log.cursor_key (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    key bytea NOT NULL
);
INSERT INTO log.cursor_key (key)
    SELECT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
GRANT SELECT ON log.cursor_key TO "{app}"
