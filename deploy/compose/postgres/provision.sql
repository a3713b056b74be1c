-- A database and three roles, what is there already is kept: psql -v name=steerco_finance -v secret=… -f provision.sql
-- The same as steerco_servers.provisioning, which a test compares. A role's password is the secret, - and its name.
\set ON_ERROR_STOP on
\set owner :name _owner
\set app :name _app
\set feed :name _feed

SELECT format('CREATE ROLE %I', role) FROM unnest(ARRAY[:'owner', :'app', :'feed']) AS role
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', role, :'secret' || '-' || role)
FROM unnest(ARRAY[:'owner', :'app', :'feed']) AS role \gexec
GRANT :"app" TO :"owner";

SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'''
    ' LOCALE_PROVIDER libc LC_COLLATE ''C'' LC_CTYPE ''C''', :'name', :'owner')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"name" TO :"app", :"feed";
