# shellcheck shell=bash
# What the demo is told with: lines on the terminal, processes, and waiting for events.
# Needs of run.sh: $here, $run and $JOBBROKER_SOCKET, and jobbrokerd and jobctl on PATH.

readonly patience=300 # seconds until an event is called missing: there may be work before it, on a busy machine

if [[ -t 1 ]]; then
  readonly bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  readonly bold='' green='' red='' plain=''
fi

heading() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
say() { printf '   %s\n' "$*"; }
die() {
  printf '%sdemo: %s%s\n' "$red" "$*" "$plain" >&2
  exit 1
}

# expect WHAT WANTED FOUND: one line of the demo's verdict on itself.
failed_checks=0
expect() {
  if [[ $2 == "$3" ]]; then
    printf '   %sok%s      %s\n' "$green" "$plain" "$1"
  else
    printf '   %sWRONG%s   %s: wanted %s, found %s\n' "$red" "$plain" "$1" "$2" "$3"
    failed_checks=$((failed_checks + 1))
  fi
}

broker_pid=''
declare -A worker_pids=() # by name

# Starts the broker and returns when it says that it is ready.
start_broker() {
  rm -f "$run/broker.out"
  mkfifo "$run/broker.out"
  jobbrokerd --socket "$JOBBROKER_SOCKET" --db "$run/jobs.db" \
    >"$run/broker.out" 2>>"$run/logs/broker.log" </dev/null &
  broker_pid=$!
  # The pipe stays open, so that whatever else the broker says does not meet a closed one.
  exec {broker_out}<"$run/broker.out"
  local line
  read -r -t "$patience" -u "$broker_out" line || die "the broker did not start; see $run/logs/broker.log"
  [[ $line == "ready socket=$JOBBROKER_SOCKET" ]] || die "the broker said '$line' when it should be ready"
}

# start_worker NAME: starts a worker that takes jobs of every type.
start_worker() {
  jobctl work --name "$1" --type ingest --type preview --type save -- "$here/workers/any.sh" \
    >"$run/logs/$1.log" 2>&1 </dev/null &
  worker_pids[$1]=$!
}

stopped_with=''

# Asks a process of ours to stop, waits until it has, and leaves its exit status in $stopped_with.
stop() {
  stopped_with=0
  kill -TERM "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || stopped_with=$?
}

# Whatever happens, nothing is left running; the files stay only if something went wrong.
clean_up() {
  local outcome=$? pid
  trap - EXIT
  for pid in "${worker_pids[@]}" $broker_pid; do
    crash "$pid"
  done
  if ((outcome == 0)); then
    rm -rf "$run"
  else
    printf 'demo: the files and logs of this run are kept in %s\n' "$run" >&2
  fi
  exit "$outcome"
}

# Ends a process of ours at once, as a crash does, and takes note of its death.
crash() {
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# Whether a process runs. One that is dead but not yet collected by its parent does not.
is_alive() {
  local status
  kill -0 "$1" 2>/dev/null || return 1
  status=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
  [[ -n $status && $status != [ZX] ]]
}

# Waits until every process of an attempt is dead: the kernel drops the lock with the last of them.
await_death_of_attempt() {
  flock --timeout "$patience" "$run/attempts/$1.$2" true || die "attempt $2 of job $1 lives on"
}

# await FILTER [ARGUMENT…]: waits for the first event of `jobctl watch ARGUMENT…` whose job satisfies the jq filter,
# and prints that job.
await() {
  local filter=$1 events watch_pid event
  shift
  exec {events}< <(exec timeout "$patience" jobctl watch --json "$@" 2>>"$run/logs/watch.log")
  watch_pid=$!
  while read -r -u "$events" event; do
    if jq --exit-status --compact-output ".job | select(. != null) | select($filter)" <<<"$event"; then
      kill "$watch_pid" 2>/dev/null || true
      exec {events}<&-
      return 0
    fi
  done
  die "waited in vain for a job with $filter"
}

# Shows the jobs given until all of them are complete: as live bars on a terminal, else a line for each new stage.
show_until_complete() {
  local watch=(timeout --foreground "$patience" jobctl watch --until-finished "$@")
  if [[ -t 1 ]]; then
    "${watch[@]}"
  else
    # time, id, type, status, progress, %, stage
    "${watch[@]}" | awk '{ now = $4 $7 } now != last[$2] { last[$2] = now; print "   " $0; fflush() }'
  fi || die "not all jobs became complete"
}

# Prints all jobs as one JSON array.
all_jobs() {
  jobctl list --json --all | jq --slurp --compact-output .
}

# Prints the ids in such an array, sorted, one a line.
ids_of() {
  jq --raw-output '.[].id' <<<"$1" | sort
}

# Prints how the finished jobs in such an array ended, sorted, one a line.
endings_of() {
  jq --compact-output '.[] | select(.finished_at) | [.id, .status, .result]' <<<"$1" | sort
}
