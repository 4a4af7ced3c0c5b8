#!/usr/bin/env bash
# save: evens out the voice, brings its peak to -1 dB, writes the result file and measures its loudness.
# shellcheck source=demo/workers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

readonly peak_wanted=-1
readonly voice=(highpass 80 compand '0.02,0.20' '6:-70,-60,-20' -8 -90 0.1)

input=$(input_field input)
output=$(field output)

# Which gain is right is known only once everything has been heard.
stage measuring
report_sox "$input" --null "${voice[@]}" stats
gain=$(awk -v wanted="$peak_wanted" -v peak="$(loudness 'Pk lev dB')" 'BEGIN { print wanted - peak }')

stage normalising
report_sox "$input" "$scratch/saved.flac" "${voice[@]}" gain "$gain"

stage verifying
report_sox "$scratch/saved.flac" --null stats
mv --force "$scratch/saved.flac" "$output"

jq --null-input --compact-output \
  --arg file "$output" --argjson seconds "$(soxi -D "$output")" \
  --argjson peak_db "$(loudness 'Pk lev dB')" --argjson rms_db "$(loudness 'RMS lev dB')" \
  '{$file, $seconds, $peak_db, $rms_db}'
