#!/usr/bin/env bash
# Fill .venv from a lock file and install the workspace's members into it, editable.
# LOCK: the lock file; PYTHON: the interpreter; arguments: the members' folders.
set -euo pipefail

if [ -z "${PYTHON:-}" ] || ! "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    found=$("${PYTHON:-python3}" --version 2>&1 | head -n 1 | grep -o '^Python [0-9.]*' || true)
    echo "SigmaSight needs Python 3.11 or newer (found: ${found:-none}); install one, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
fi

members=()
for folder in "$@"; do members+=(-e "./$folder"); done

if command -v uv >/dev/null; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$PYTHON" .venv
    export VIRTUAL_ENV=$PWD/.venv
    uv pip install --quiet --compile-bytecode --require-hashes -r "$LOCK"
    uv pip install --quiet --no-deps --no-build-isolation "${members[@]}"
else
    # Debian splits venv off: say so rather than show its traceback.
    [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv || {
        rm -rf .venv
        echo "$PYTHON cannot make a virtual environment: install its venv package (Debian: python3-venv), or uv" >&2
        exit 1
    }
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$LOCK"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation "${members[@]}"
fi
