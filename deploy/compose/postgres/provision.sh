#!/bin/sh
# A database and its roles for each name: provision.sh SECRET NAME... The server is told to psql by PG* variables.
set -eu
secret=$1
shift
for name in "$@"; do
    psql --quiet --no-psqlrc --dbname postgres --set name="steerco_$name" --set secret="$secret" \
        --file "$(dirname "$0")/provision.sql"
done
