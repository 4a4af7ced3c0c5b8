#!/usr/bin/env bash
# Fails if the generated C code in the folder given is not what proto/jobbroker.proto generates now.
set -euo pipefail

readonly checked_in=${1:?usage: scripts/check-proto.sh FOLDER}
fresh=$(mktemp --directory)
trap 'rm -rf "$fresh"' EXIT

# The folder also holds what is written by hand (the module map), so the new code goes over a copy.
cp --recursive "$checked_in/." "$fresh"
find "$fresh" -name '*.pb-c.[ch]' -delete
"$(dirname "${BASH_SOURCE[0]}")/generate-proto.sh" "$fresh"
if ! diff --recursive --unified "$checked_in" "$fresh"; then
  echo 'The generated code is not current: run make proto.' >&2
  exit 1
fi
