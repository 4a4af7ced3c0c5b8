#!/usr/bin/env bash
# Measures a broker whose jobs are in a libSQL database: once with the database on this host, once with a round trip
# to it that takes 20 ms. Each run has a broker and an empty sqld of its own; the medians are printed as a table.
#
#   scripts/bench-libsql.sh FOLDER [RUNS]   FOLDER holds jobbrokerd and jobctl; 3 runs of each unless told otherwise
#
# Between the two stands scripts/delay.py, which counts the round trips, and at 20 ms makes them take that long.
# Fails when 64 clients at 20 ms do not reach 20 times what 2 do: group commit would not carry over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly programs=${1:?usage: scripts/bench-libsql.sh FOLDER-OF-THE-PROGRAMS [RUNS]} runs=${2:-3}
sqld=$(scripts/sqld.sh)
work=$(mktemp -d)
readonly sqld work
children=()

# Ends what was started last first, and waits for it.
end_children() {
  local index
  for ((index = ${#children[@]} - 1; index >= 0; index--)); do
    kill "${children[index]}" 2>/dev/null || true
    wait "${children[index]}" 2>/dev/null || true
  done
  children=()
}
trap 'end_children; rm -rf "$work"' EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# until_said TEXT FILE: waits until the program that writes the file has said so.
until_said() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    ! grep --quiet "$1" "$2" 2>/dev/null || return 0
    sleep 0.05
  done
  echo "bench-libsql: '$1' was not said in $2:" >&2
  cat "$2" >&2
  return 1
}

# until_healthy PORT: waits until sqld answers there.
until_healthy() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    ! curl --silent --fail --output /dev/null "http://127.0.0.1:$1/health" || return 0
    sleep 0.05
  done
  echo 'bench-libsql: sqld did not come up' >&2
  return 1
}

# measure MILLISECONDS CLIENTS JOBS: one run; prints lifecycles per second and round trips per lifecycle.
measure() {
  local run="$work/run" database proxy
  rm -rf "$run"
  mkdir "$run"
  database=$(free_port)
  "$sqld" --no-welcome --db-path "$run/data" --http-listen-addr "127.0.0.1:$database" \
    --checkpoint-interval-s 10 >"$run/sqld" 2>&1 &
  children+=($!)
  until_healthy "$database"
  proxy=$(free_port)
  python3 scripts/delay.py "$proxy" "$database" "$1" >"$run/proxy" &
  children+=($!)
  until_said ready "$run/proxy"
  JOB_STORE_BACKEND=turso TURSO_DATABASE_URL="http://127.0.0.1:$proxy" \
    "$programs/jobbrokerd" --socket "$run/socket" >"$run/broker" 2>&1 &
  children+=($!)
  until_said 'ready socket=' "$run/broker"
  "$programs/jobctl" bench --json --keep --socket "$run/socket" --clients "$2" --jobs "$3" >"$run/bench"
  end_children
  python3 - "$run/bench" "$run/proxy" <<'PYTHON'
import json, sys

report = json.loads(open(sys.argv[1]).read())
requests = int(open(sys.argv[2]).read().split()[-1])
print(report["lifecycles_per_second"], requests / report["jobs"])
PYTHON
}

# The middle of the numbers in a column of a file.
median() { sort -g -k "$1,$1" "$2" | awk -v column="$1" '{ v[NR] = $column } END { print v[int((NR + 1) / 2)] }'; }

declare -A rate
printf '%-18s %8s %8s %16s %26s\n' 'round trip' clients jobs 'lifecycles/s' 'round trips a lifecycle'
for setting in '0 2 500' '0 16 2000' '0 64 4000' '20 2 200' '20 16 1600' '20 64 4000'; do
  read -r delay clients jobs <<<"$setting"
  for ((run = 0; run < runs; run++)); do measure "$delay" "$clients" "$jobs"; done >"$work/results"
  rate[$delay-$clients]=$(median 1 "$work/results")
  printf '%-18s %8d %8d %16.0f %26.2f\n' "$([[ $delay == 0 ]] && echo local || echo "+ $delay ms")" \
    "$clients" "$jobs" "${rate[$delay-$clients]}" "$(median 2 "$work/results")"
done
awk -v many="${rate[20-64]}" -v few="${rate[20-2]}" 'BEGIN {
  printf "At 20 ms, 64 clients do %.0f times what 2 do.\n", many / few
  exit many < 20 * few
}'
