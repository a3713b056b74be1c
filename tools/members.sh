#!/bin/sh
# Installs each member alone, in a bare environment, and imports every module of it and of its tests there: an import
# that it does not declare fails here, and so does a service with another beside it. The tests themselves run in
# `make test`. Some members at once.
# usage: tools/members.sh UV MEMBER...
set -eu

at_once=3

alone() {
    uv=$1 member=$2 bare=build/members/$(basename "$2")
    "$uv" venv --quiet --clear --python "$python" "$bare" &&
        "$uv" pip install --quiet --python "$bare/bin/python" --no-editable -c requirements.lock "./$member" \
            --group "$member/pyproject.toml:test" &&
        "$bare/bin/python" tools/only_own.py "$member" &&
        "$bare/bin/python" tools/import_all.py "$member/src" &&
        { [ ! -d "$member/tests" ] || "$bare/bin/python" -m pytest -q --collect-only "$member/tests"; }
}

if [ "${1:-}" = --alone ]; then
    said=build/members/$(basename "$3").log
    if (alone "$2" "$3") >"$said" 2>&1; then
        echo "· $3 alone: $(tail -n 1 "$said")"
    else
        echo "· $3 alone"
        cat "$said"
        exit 1
    fi
else
    uv=$1
    shift
    python=$(PYTHON="${PYTHON:-}" tools/find-python.sh)
    export python
    mkdir -p build/members
    printf '%s\n' "$@" | xargs -P "$at_once" -I MEMBER "$0" --alone "$uv" MEMBER
fi
