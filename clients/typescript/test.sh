#!/usr/bin/env bash
# Builds the client and runs all its tests. Installs nothing; JOBBROKERD is the path of the daemon's binary.
set -euo pipefail
cd "$(dirname "$0")"
: "${JOBBROKERD:?must be the path of the jobbrokerd binary}"
export JOBBROKERD

node scripts/generate-schema.mjs --check
node scripts/build.mjs
# The tests use the package by its name, as its users do.
timeout 800 node --test "$@" test/*.test.mjs
