#!/usr/bin/env bash
# ingest: checks a sound file, makes a recording of the length asked for from it, and decodes that to the
# pipeline's own format: FLAC, 44,100 Hz, mono.
# shellcheck source=demo/workers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

source_file=$(field source)
output=$(field output)
seconds=$(field seconds)

stage checking
[[ -r $source_file ]] || give_up "cannot read $source_file"
length=$(soxi -D "$source_file")
rate=$(soxi -r "$source_file")
channels=$(soxi -c "$source_file")
((rate >= 8000)) || give_up "$source_file has $rate samples a second; speech needs 8000"
((channels <= 2)) || give_up "$source_file has $channels channels; 1 or 2 are understood"
awk -v length_="$length" 'BEGIN { exit !(length_ >= 0.1) }' || give_up "$source_file lasts only $length s"

# The phrase is repeated without end, and cut where the recording is to end.
stage looping
report_sox "$source_file" "$scratch/looped.wav" repeat - trim 0 "$seconds"

stage decoding
report_sox "$scratch/looped.wav" "$scratch/decoded.flac" remix - rate -v 44100
mv --force "$scratch/decoded.flac" "$output"

jq --null-input --compact-output \
  --arg file "$output" --argjson seconds "$(soxi -D "$output")" --argjson source_seconds "$length" \
  --argjson source_rate "$rate" --argjson source_channels "$channels" \
  '{$file, $seconds, $source_seconds, $source_rate, $source_channels}'
