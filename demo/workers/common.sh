# shellcheck shell=bash
# What the three workers share: reading the job, reporting, and running sox so that it reports its own progress.
#
# `jobctl work` gives metadata on stdin and JOB_ID and JOB_ATTEMPT in the environment. It takes lines such as
# `::stage decoding` from stdout, and the last line of JSON there as the result.
set -euo pipefail
shopt -s inherit_errexit

readonly try_again=75 # EX_TEMPFAIL of sysexits.h: a later attempt may do better

: "${DEMO_RUN:?is the directory of this run}" "${JOB_ID:?}" "${JOB_ATTEMPT:?}"
metadata=$(cat)

# Every process of this attempt holds this lock until it is dead, so that the demo can see that all of them are.
exec {attempt_lock}<>"$DEMO_RUN/attempts/$JOB_ID.$JOB_ATTEMPT"
flock --nonblock "$attempt_lock"
echo $$ >&"$attempt_lock"

# Results are made here and then renamed into place: a killed attempt leaves no half a file where a result belongs.
readonly scratch=$DEMO_RUN/scratch/$JOB_ID.$JOB_ATTEMPT
mkdir "$scratch"
trap 'rm -rf "$scratch"' EXIT

# Prints one field of the job's metadata.
field() {
  jq --exit-status --raw-output --arg name "$1" '.[$name]' <<<"$metadata" ||
    give_up "the metadata has no $1"
}

stage() { printf '::stage %s\n' "$1"; }

give_up() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Prints the path in the named field, of a file that an earlier job makes.
input_field() {
  local path
  path=$(field "$1")
  [[ -r $path ]] || {
    echo "$path is not there yet" >&2
    exit "$try_again"
  }
  printf '%s\n' "$path"
}

# Runs sox and reports how much of the input it has read, which its own display says: `In:39.0% …`, each one ended by
# a carriage return. What else it says is kept in $sox_said, and shown if it fails.
sox_said=$scratch/sox.log
report_sox() {
  if ! sox --show-progress "$@" 2>&1 >/dev/null | report_display >"$sox_said"; then
    cat "$sox_said" >&2
    return 1
  fi
}

report_display() {
  local text
  while IFS= read -r -d $'\r' text || [[ -n $text ]]; do
    if [[ $text =~ ^In:([0-9.]+)% ]]; then
      printf '::progress %s\n' "${BASH_REMATCH[1]}" >&"$reports"
    fi
    printf '%s\n' "$text"
  done
}

exec {reports}>&1

# Prints a loudness figure in dB from what the last sox with the effect `stats` said: `Pk lev dB` or `RMS lev dB`.
loudness() {
  awk -v name="$1" 'index($0, name) == 1 { print $NF }' "$sox_said"
}
