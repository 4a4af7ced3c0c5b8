#!/usr/bin/env bash
# Measures the client against a broker of its own: JOBBROKERD=/path/to/a/release/build clients/c/bench/run.sh
set -euo pipefail
cd "$(dirname "$0")/.."
: "${JOBBROKERD:?is not set: the path of the daemon}"
make --silent build/bench
# shellcheck source=clients/c/broker.sh
source ./broker.sh
start_broker
build/bench "$SOCKET" create "${CREATES:-10000}"
# A store of its own, so that no job is left to claim.
stop_broker
start_broker
build/bench "$SOCKET" wake "${WAKES:-2000}"
