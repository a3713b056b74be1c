#!/bin/sh
# Prints the path of a Python >= 3.12 that can make virtual environments. A name on PATH may be a shim that
# fails when run, so every candidate is run before it is believed.
set -u

works() {
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1
}

candidates() {
    [ -n "${PYTHON:-}" ] && echo "$PYTHON"
    for name in python3.12 python3.13 python3.14 python3 python; do
        command -v "$name" 2>/dev/null
    done
    shim=$(command -v pyenv 2>/dev/null || command -v python3 2>/dev/null || true)
    for root in "${PYENV_ROOT:-}" "${HOME:-}/.pyenv" "${shim:+$(dirname "$(dirname "$shim")")}"; do
        [ -n "$root" ] && ls -d "$root"/versions/3.1[2-9]*/bin/python3 2>/dev/null
    done
    ls -d /opt/*/bin/python3 /usr/local/bin/python3.1[2-9] "${HOME:-}"/.local/share/uv/python/*/bin/python3 2>/dev/null
}

found=$(candidates | while read -r candidate; do
    if works "$candidate"; then
        echo "$candidate"
        break
    fi
done)
if [ -z "$found" ]; then
    echo "Python 3.12 or newer (with venv and ensurepip) is missing; name one: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi
echo "$found"
