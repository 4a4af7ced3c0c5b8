#!/usr/bin/env bash
# Fails if the generated C code in the folder given is not what proto/jobbroker.proto generates now.
set -euo pipefail

readonly checked_in=${1:?usage: scripts/check-proto.sh FOLDER}
fresh=$(mktemp --directory)
trap 'rm -rf "$fresh"' EXIT

"$(dirname "${BASH_SOURCE[0]}")/generate-proto.sh" "$fresh"
if ! diff --recursive --unified --exclude=module.modulemap "$checked_in" "$fresh"; then
  echo 'The generated code is not current: run make proto.' >&2
  exit 1
fi
