#!/usr/bin/env bash
# preview: cuts the first second of a decoded recording, fades it in and out, and encodes it as Ogg Vorbis.
# shellcheck source=demo/workers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

input=$(input_field input)
output=$(field output)

stage cutting
report_sox "$input" "$scratch/cut.wav" trim 0 1 fade t 0.05 1 0.2

stage encoding
report_sox "$scratch/cut.wav" --compression 5 "$scratch/preview.ogg"
mv --force "$scratch/preview.ogg" "$output"

jq --null-input --compact-output \
  --arg file "$output" --argjson seconds "$(soxi -D "$output")" --argjson bytes "$(stat --format=%s "$output")" \
  '{$file, $seconds, $bytes}'
