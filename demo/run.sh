#!/usr/bin/env bash
# Prepares real sound files through a real broker, and breaks things on the way: a running job is cancelled, the
# broker and a worker are killed. Checks its own outcome and exits non-zero if anything is off.
#
#   demo/run.sh FOLDER    the folder of jobbrokerd and jobctl; `make demo` builds them and calls this
set -euo pipefail
shopt -s inherit_errexit

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$(cd "${1:?usage: demo/run.sh FOLDER-OF-THE-PROGRAMS}" && pwd):$PATH

readonly sounds=/usr/share/sounds/alsa # recorded speech, of Debian's alsa-utils
readonly seconds=180                   # the length of each recording, one phrase said over and over
readonly unwanted=Noise                # of this one the save is cancelled
readonly workers=(worker-1 worker-2 worker-3)
# An event of a save that runs and will for a while.
readonly saving='.type == "save" and .status == "processing" and (.stage == "measuring" or .stage == "normalising")'

run=$(mktemp --directory "${TMPDIR:-/tmp}/jobbroker-demo.XXXXXX")
export DEMO_RUN=$run JOBBROKER_SOCKET=$run/broker.sock

# shellcheck source=demo/lib.sh
source "$here/lib.sh"
# shellcheck source=demo/check.sh
source "$here/check.sh"
trap clean_up EXIT
trap 'exit 130' INT TERM

# The names of the recordings, the unwanted one first, and the ids of their jobs.
recordings=("$unwanted")
declare -A ingest preview save

find_recordings() {
  local sound
  for sound in "$sounds"/*.wav; do
    sound=$(basename "$sound" .wav)
    [[ $sound == "$unwanted" ]] || recordings+=("$sound")
  done
  [[ -r $sounds/$unwanted.wav ]] || die "no sound files in $sounds; make demo installs them"
}

# create TYPE METADATA [ARGUMENT…]: makes a job of each recording and takes note of their ids. The metadata is a jq
# filter of the recording's name.
create() {
  local -n ids=$1
  local made index
  made=$(printf '%s\n' "${recordings[@]}" |
    jq --raw-input --compact-output --arg sounds "$sounds" --arg run "$run" --argjson seconds "$seconds" "$2" |
    jobctl create --type "$1" --metadata-lines - "${@:3}")
  mapfile -t made <<<"$made"
  for index in "${!recordings[@]}"; do
    # shellcheck disable=SC2034 # it is one of the three above
    ids["${recordings[index]}"]=${made[index]}
  done
}

# shellcheck disable=SC2016 # the variables are jq's
create_ingest() {
  create ingest '{source: "\($sounds)/\(.).wav", output: "\($run)/decoded/\(.).flac", $seconds}'
}

# shellcheck disable=SC2016 # the variables are jq's
create_save_and_preview() {
  create save '{input: "\($run)/decoded/\(.).flac", output: "\($run)/saved/\(.).flac"}'
  # Previews are quick and somebody waits for them: they overtake.
  create preview '{input: "\($run)/decoded/\(.).flac", output: "\($run)/previews/\(.).ogg"}' --priority 1
}

cancel_a_running_job() {
  local id=${save[$unwanted]} child
  await "$saving" "$id" >/dev/null
  child=$(<"$run/attempts/$id.1")
  is_alive "$child" || die "process $child of the job to be cancelled is not running"
  say "The save of $unwanted runs as process $child; cancelling it."
  jobctl cancel "$id" >>"$run/logs/cancel.log"
  await_death_of_attempt "$id" 1
  ! is_alive "$child" || die "process $child lives on after its job was cancelled"
  say "Process $child and its sox are dead."
}

kill_and_restart_broker() {
  local before after running
  # Once a save is at work, the broker goes down in the middle of it.
  await "$saving" >/dev/null
  before=$(all_jobs)
  crash "$broker_pid"
  say "kill -9 of the broker (process $broker_pid) with $(jq 'map(select(.status == "processing")) | length' \
    <<<"$before") jobs running and $(jq 'map(select(.status == "pending")) | length' <<<"$before") waiting."
  start_broker
  after=$(all_jobs)
  [[ $(ids_of "$before") == "$(ids_of "$after")" ]] || die "the broker came back with other jobs than it had"
  [[ -z $(comm -23 <(endings_of "$before") <(endings_of "$after")) ]] || die "the broker forgot how a job ended"
  say "It is back as process $broker_pid with all $(jq length <<<"$after") jobs; the workers find it again:"
  mapfile -t running < <(jq --raw-output '.[] | select(.status == "processing") | .id' <<<"$after")
  ((${#running[@]} > 0)) || die "no job was running when the broker was killed"
  show_until_complete "${running[@]}"
}

kill_worker() {
  local job pid name held=''
  # The save may end while this script gets to it. So its worker is stopped first, and another save awaited if it has.
  until [[ $held == processing ]]; do
    job=$(await "$saving")
    victim=$(jq --raw-output .id <<<"$job")
    pid=$(jq --raw-output .worker.pid <<<"$job")
    name=$(jq --raw-output .worker.name <<<"$job")
    [[ ${worker_pids[$name]:-} == "$pid" ]] || die "the broker says that process $pid holds $victim; it is not $name"
    kill -STOP "$pid"
    held=$(jobctl get --json "$victim" | jq --raw-output .status)
    [[ $held == processing ]] || kill -CONT "$pid"
  done
  crash "$pid"
  unset "worker_pids[$name]"
  await_death_of_attempt "$victim" 1
  say "kill -9 of $name (process $pid), which held job $victim; its sox died with it."
  say "It has five seconds to come back; then another worker takes the job:"
}

find_recordings
((${#JOBBROKER_SOCKET} < 108)) || die "TMPDIR is too long a path for a socket: $JOBBROKER_SOCKET"
mkdir "$run"/{logs,attempts,scratch,decoded,previews,saved}

heading "A broker and ${#workers[@]} workers"
start_broker
say "jobbrokerd is process $broker_pid, its socket $JOBBROKER_SOCKET"
for worker in "${workers[@]}"; do
  start_worker "$worker"
done

heading "Ingest: check and decode ${#recordings[@]} recordings"
create_ingest
show_until_complete "${ingest[@]}"

heading "Save and preview: normalise, cut, encode; and one job is cancelled while it runs"
create_save_and_preview
cancel_a_running_job

heading "The broker is killed and restarted"
kill_and_restart_broker

heading "A worker is killed while it holds a job"
kill_worker
wanted_save=()
for name in "${!save[@]}"; do
  [[ $name == "$unwanted" ]] || wanted_save+=("${save[$name]}")
done
show_until_complete "${preview[@]}" "${wanted_save[@]}"

heading "All jobs"
jobctl list --all

heading "The demo checks itself"
check_jobs
check_sound
check_shutdown
((failed_checks == 0)) || die "$failed_checks checks failed"
printf '\n%sEverything is as it should be, after %d s.%s\n' "$green" "$SECONDS" "$plain"
