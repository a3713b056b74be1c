#!/bin/sh
# Installs each member alone, in a bare environment, and runs its own tests there: an import that it does not
# declare fails here. What needs Kafka runs in `make test` only.
# usage: tools/members.sh UV MEMBER...
set -eu
uv=$1
shift
python=$(PYTHON="${PYTHON:-}" tools/find-python.sh)
mkdir -p build/members
for member in "$@"; do
    alone=build/members/$(basename "$member")
    echo "· $member alone"
    "$uv" venv --quiet --clear --python "$python" "$alone"
    "$uv" pip install --quiet --python "$alone/bin/python" -c requirements.lock "./$member" \
        --group "$member/pyproject.toml:test"
    if [ -d "$member/tests" ]; then
        "$alone/bin/python" -m pytest -q -m "not kafka" "$member/tests"
    fi
done
