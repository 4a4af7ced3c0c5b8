# shellcheck shell=bash
# The demo's verdict on its own outcome, from what the broker says and from the files themselves.
# Needs lib.sh, and of run.sh: $run, $seconds, $unwanted, $victim, and the ids in $ingest, $preview and $save.

check_jobs() {
  local jobs cancelled=${save[$unwanted]}
  jobs=$(all_jobs)
  expect "the broker has the jobs made, no more and no less" \
    "$(printf '%s\n' "${ingest[@]}" "${preview[@]}" "${save[@]}" | sort)" "$(ids_of "$jobs")"
  expect "all are complete but the one cancelled" "[[\"$cancelled\",\"cancelled\"]]" \
    "$(jq --compact-output 'map(select(.status != "complete") | [.id, .status])' <<<"$jobs")"
  expect "every complete job is at 100 %" "[]" \
    "$(jq --compact-output 'map(select(.status == "complete" and .progress != 100) | .id)' <<<"$jobs")"
  expect "one job took two attempts, the restart of the broker cost none" "[[\"$victim\",2]]" \
    "$(jq --compact-output 'map(select(.attempt != 1) | [.id, .attempt])' <<<"$jobs")"
  expect "no job was counted as failed and tried again" "[]" \
    "$(jq --compact-output 'map(select(.retry_count != 0) | .id)' <<<"$jobs")"
  expect "its history says that the first worker was lost" '[[1,"lost"]]' "$(history_of "$victim")"
  expect "the history of the cancelled job says so" '[[1,"cancelled"]]' "$(history_of "$cancelled")"
}

# Prints how the unsuccessful attempts of a job ended.
history_of() {
  jobctl get --json "$1" | jq --compact-output '[.history[] | [.attempt, .cause]]'
}

check_sound() {
  local name
  for name in "${!ingest[@]}"; do
    expect "$name: preview" "1.000 s of Vorbis" "$(describe "$run/previews/$name.ogg")"
    if [[ $name == "$unwanted" ]]; then
      expect "$name: not saved" "no file" "$(describe "$run/saved/$name.flac")"
    else
      expect "$name: saved" "$seconds.000 s of FLAC" "$(describe "$run/saved/$name.flac")"
      expect "$name: its loudness is in the job's result" \
        "$(measure "$run/saved/$name.flac")" "$(jobctl get --json "${save[$name]}" | jq --compact-output \
          '.result | [.peak_db, .rms_db]')"
    fi
  done
  # A process killed with SIGKILL cannot clean up after itself; the others have.
  expect "no half-made file is left" "" \
    "$(find "$run/scratch" -mindepth 1 -maxdepth 1 -not -name "$victim.1" -printf '%f ')"
}

# Prints the length and encoding of a sound file, having decoded all of it.
describe() {
  if [[ ! -e $1 ]]; then
    echo "no file"
  elif sox "$1" --null 2>>"$run/logs/check.log"; then
    printf '%.3f s of %s\n' "$(soxi -D "$1")" "$(soxi -e "$1")"
  else
    echo "no valid sound"
  fi
}

# Prints peak and RMS of a sound file as a JSON array of dB, and says so if the peak is not where save puts it.
measure() {
  sox "$1" --null stats 2>&1 | awk '
    /^Pk lev dB/ { peak = $NF + 0 }
    /^RMS lev dB/ { rms = $NF + 0 }
    END { if (peak < -1.1 || peak > -0.9) print "a peak at -1 dB, not at " peak; else print "[" peak "," rms "]" }'
}

# Asked to stop, everyone stops at once and without complaint.
check_shutdown() {
  local name
  for name in "${!worker_pids[@]}"; do
    stop "${worker_pids[$name]}"
    expect "$name stops when asked" 0 "$stopped_with"
  done
  stop "$broker_pid"
  expect "the broker stops when asked" 0 "$stopped_with"
}
