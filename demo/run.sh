#!/usr/bin/env bash
# Prepares real sound files through a real broker, and breaks things on the way: a running job is cancelled, the
# broker and a worker are killed. Checks its own outcome and exits non-zero if anything is off.
#
#   demo/run.sh FOLDER    the folder of jobbrokerd and jobctl; `make demo` builds them and calls this
set -euo pipefail
shopt -s inherit_errexit nullglob

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$(cd "${1:?usage: demo/run.sh FOLDER-OF-THE-PROGRAMS}" && pwd):$PATH

readonly sounds=(/usr/share/sounds/alsa/*.wav) # recorded speech, of Debian's alsa-utils
readonly seconds=300                           # the length of each recording, one phrase said over and over
readonly unwanted=Noise                        # of this one the save is cancelled
readonly workers=(worker-1 worker-2 worker-3)
readonly early_in_a_save='.type == "save" and .status == "processing" and .stage == "measuring"'

run=$(mktemp --directory "${TMPDIR:-/tmp}/jobbroker-demo.XXXXXX")
export DEMO_RUN=$run JOBBROKER_SOCKET=$run/broker.sock

# shellcheck source=demo/lib.sh
source "$here/lib.sh"
# shellcheck source=demo/check.sh
source "$here/check.sh"
trap clean_up EXIT
trap 'exit 130' INT TERM

# The ids of the jobs by the name of their recording.
declare -A ingest preview save

# create TYPE NAME METADATA [ARGUMENT…]: makes a job and takes note of its id.
create() {
  local -n ids=$1
  # shellcheck disable=SC2034 # it is one of the three above
  ids[$2]=$(jobctl create --type "$1" --metadata "$3" "${@:4}")
}

create_ingest() {
  local sound name
  for sound in "${sounds[@]}"; do
    name=$(basename "$sound" .wav)
    create ingest "$name" "$(jq --null-input --compact-output \
      --arg source "$sound" --arg output "$run/decoded/$name.flac" --argjson seconds "$seconds" \
      '{$source, $output, $seconds}')"
  done
}

create_preview_and_save() {
  local name
  # The one to be cancelled overtakes the others.
  create save "$unwanted" "$(files "$unwanted" saved flac)" --priority 1
  for name in "${!ingest[@]}"; do
    create preview "$name" "$(files "$name" previews ogg)"
    [[ $name == "$unwanted" ]] || create save "$name" "$(files "$name" saved flac)"
  done
}

# files NAME FOLDER EXTENSION: the metadata of a job that makes FOLDER/NAME.EXTENSION from the decoded recording.
files() {
  jq --null-input --compact-output \
    --arg input "$run/decoded/$1.flac" --arg output "$run/$2/$1.$3" '{$input, $output}'
}

cancel_a_running_job() {
  local id=${save[$unwanted]} child
  await "$early_in_a_save" "$id" >/dev/null
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
  await "$early_in_a_save" >/dev/null
  before=$(all_jobs)
  crash "$broker_pid"
  say "kill -9 of the broker (process $broker_pid) with $(jq 'map(select(.status == "processing")) | length' \
    <<<"$before") jobs running and $(jq 'map(select(.status == "pending")) | length' <<<"$before") waiting."
  start_broker
  after=$(all_jobs)
  [[ $(ids_of "$before") == "$(ids_of "$after")" ]] || die "the broker came back with other jobs than it had"
  say "It is back as process $broker_pid with all $(jq length <<<"$after") jobs; the workers find it again:"
  mapfile -t running < <(jq --raw-output '.[] | select(.status == "processing") | .id' <<<"$after")
  ((${#running[@]} > 0)) || die "no job was running when the broker was killed"
  show_until_complete "${running[@]}"
}

kill_worker() {
  local job pid name
  job=$(await "$early_in_a_save")
  victim=$(jq --raw-output .id <<<"$job")
  pid=$(jq --raw-output .worker.pid <<<"$job")
  name=$(jq --raw-output .worker.name <<<"$job")
  [[ ${worker_pids[$name]:-} == "$pid" ]] || die "the broker says that process $pid holds $victim; it is not $name"
  crash "$pid"
  unset "worker_pids[$name]"
  await_death_of_attempt "$victim" 1
  say "kill -9 of $name (process $pid), which held job $victim; its sox died with it."
  say "It has five seconds to come back; then another worker takes the job:"
}

((${#sounds[@]} > 0)) || die "no sound files in /usr/share/sounds/alsa; make demo installs them"
((${#JOBBROKER_SOCKET} < 108)) || die "TMPDIR is too long a path for a socket: $JOBBROKER_SOCKET"
mkdir "$run"/{logs,attempts,scratch,decoded,previews,saved}

heading "A broker and ${#workers[@]} workers"
start_broker
say "jobbrokerd is process $broker_pid, its socket $JOBBROKER_SOCKET"
for worker in "${workers[@]}"; do
  start_worker "$worker"
done

heading "Ingest: check and decode ${#sounds[@]} recordings"
create_ingest
show_until_complete "${ingest[@]}"

heading "Preview and save: cut, encode, normalise; and one job is cancelled while it runs"
create_preview_and_save
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
