#!/usr/bin/env bash
# Writes the Python code of proto/jobbroker.proto:
#
#   scripts/generate_proto.sh            # after a change of the schema
#   scripts/generate_proto.sh --check    # fails if what is checked in is not current
#
# Needs protoc 3.20 to 3.21 (Debian 12 and 13, Ubuntu 24.04: protobuf-compiler). What these write works with every
# protobuf runtime from 3.20 on; what later ones write refuses runtimes that are older, or much newer, than itself.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly here generated=$here/src/jobbroker/_proto

case $(protoc --version) in
  'libprotoc 3.20.'* | 'libprotoc 3.21.'*) ;;
  *)
    echo "generate_proto.sh: protoc 3.20 or 3.21 is needed; this is $(protoc --version)" >&2
    exit 1
    ;;
esac

generate() {
  protoc --proto_path="$here/../../proto" --python_out="$1" --pyi_out="$1" jobbroker.proto
}

case ${1:-} in
  '') generate "$generated" ;;
  --check)
    fresh=$(mktemp --directory)
    trap 'rm -rf "$fresh"' EXIT
    generate "$fresh"
    for file in jobbroker_pb2.py jobbroker_pb2.pyi; do
      if ! diff --unified "$generated/$file" "$fresh/$file"; then
        echo "$file is not current: run clients/python/scripts/generate_proto.sh" >&2
        exit 1
      fi
    done
    ;;
  *)
    echo "usage: $0 [--check]" >&2
    exit 2
    ;;
esac
