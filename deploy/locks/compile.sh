#!/usr/bin/env bash
# Compile every lock file: names, versions and hashes only, no host.
set -euo pipefail
cd "$(dirname "$0")/../.."

options=(--quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
    --no-emit-find-links --no-header --no-annotate)
for name in sigmasight sigmasight-{auth,chat,common,gateway,marketdata,onboarding,risk-engine,scheduler,simulator}; do
    options+=(--no-emit-package "$name")
done
# The members are built where they are installed, without a download of their own.
build=$(mktemp)
trap 'rm -f "$build"' EXIT
printf 'hatchling\neditables\n' >"$build"

uv pip compile "${options[@]}" "$@" pyproject.toml "$build" -o requirements.lock
uv pip compile "${options[@]}" "$@" -c requirements.lock pyproject.toml --group dev "$build" -o requirements-dev.lock
for folder in services/*; do
    uv pip compile "${options[@]}" "$@" -c requirements.lock "$folder/pyproject.toml" "$build" \
        -o "deploy/locks/$(basename "$folder").txt"
done
