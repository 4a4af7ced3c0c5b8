#!/usr/bin/env bash
# Runs every campaign that puts a promise of the broker to the test, and prints what came of them as a table. Each is
# a test of `make test` at a larger size, and prints its own line of the table: `trust | promise | what was done |
# how often | violations | seed`. Fails if a campaign fails, is broken off or says nothing.
#
#   TRUST_SIZE=full    the sizes below (the default)
#   TRUST_SIZE=short   the sizes of `make test`, to try it
#   scripts/trust.sh [NAME...]   only these campaigns
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly size=${TRUST_SIZE:-full}
[[ $size == full || $size == short ]] || {
  echo "trust: TRUST_SIZE is full or short, not $size" >&2
  exit 2
}
# Optimised, for the simulation is five times as fast so; in a folder of its own, for the builds would undo each other.
readonly build=(--configuration release -Xswiftc -enable-testing --scratch-path .build/trust)
readonly wanted=("$@")
mapfile -t names < <(sed -nE 's/^(campaign|run) ([a-z-]+) .*/\2/p' scripts/trust.sh)
for name in "${wanted[@]}"; do
  [[ " ${names[*]} " == *" $name "* ]] || {
    echo "trust: there is no campaign '$name', only: ${names[*]}" >&2
    exit 2
  }
done
logs=.build/trust/campaigns
table=()
failed=()

# campaign NAME TEST [VARIABLE=VALUE...]: runs the tests that match TEST, in the full size with these variables.
campaign() {
  local name=$1 test=$2
  shift 2
  [[ $size == full ]] || set --
  run "$name" env "$@" swift test --skip-build --disable-xctest "${build[@]}" --filter "$test"
}

# run NAME COMMAND...: runs a command that prints lines of the table.
run() {
  local name=$1 log="$logs/$1.log" started=$SECONDS
  shift
  ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $name "* ]] || return 0
  printf '== %s: %s\n' "$name" "$*"
  local line lines=()
  if ! "$@" >"$log" 2>&1 </dev/null; then
    failed+=("$name: see $log")
    grep '^✘' "$log" || tail -n 20 "$log"
  fi
  mapfile -t lines < <(sed -n 's/^trust | //p' "$log")
  ((${#lines[@]} > 0)) || failed+=("$name: it says nothing, see $log")
  for line in "${lines[@]}"; do
    table+=("$line")
    [[ $(cut -d '|' -f 4 <<<"$line") == ' 0 ' ]] || failed+=("$name: ${line%% |*}: a violation")
  done
  printf '   %d s\n' $((SECONDS - started))
}

scripts/setup.sh test
scripts/sqld.sh >/dev/null
swift build --build-tests "${build[@]}"
mkdir -p "$logs"

campaign simulation SimulationTests JOBBROKER_SIMULATION_SEEDS=1000000
campaign model ModelAgreementTests JOBBROKER_MODEL_ROUNDS=20000
campaign power-cut PowerCutTests JOBBROKER_POWER_CUT_IMAGES=10000
campaign disk-faults FaultSweepTests JOBBROKER_FAULTS_EVERY=1
campaign confinement 'ConfinementTests|IntegrationTests.AccessTests' JOBBROKER_CONFINEMENT_ROUNDS=100
campaign lost-answers LostAnswerTests JOBBROKER_LOST_ANSWERS=10000
campaign full-disk FullDiskTests JOBBROKER_DISK_CYCLES=100
campaign clock ClockTests JOBBROKER_CLOCK_JUMPS=200
campaign shared-database everyJobIsClaimedOnceAmongFourBrokers JOBBROKER_SHARED_JOBS=10000
campaign kill KillTests JOBBROKER_KILL_ROUNDS=500 JOBBROKER_KILL_OPERATIONS=2200
campaign histories HistoryTests JOBBROKER_HISTORIES=10000 JOBBROKER_HISTORY_STALLS=1000
campaign hostile HostileFrameTests JOBBROKER_HOSTILE_FRAMES=100000
campaign limits IntegrationTests.LimitTests JOBBROKER_LIMITS_SCALE=20
campaign soak SoakTests JOBBROKER_SOAK_LIFECYCLES=10000000
[[ $size == full ]] && fuzz_runs=200000 || fuzz_runs=10000
run fuzz scripts/fuzz.sh "$fuzz_runs"

printf '\n'
{
  echo 'promise | what was done | how often | violations | seed'
  ((${#table[@]} == 0)) || printf '%s\n' "${table[@]}"
} | column -t -s '|'
((${#failed[@]} == 0)) || {
  printf '\nFAILED %s\n' "${failed[@]}" >&2
  exit 1
}
