#!/bin/sh
# Writes the C code of proto/jobbroker.proto into a folder laid out as Sources/CJobBrokerProto:
#
#   scripts/generate-proto.sh FOLDER
#
# `make proto` does so after a change of the schema; scripts/check-proto.sh sees whether that was forgotten.
# Needs protoc-c (Debian: protobuf-c-compiler).
set -eu

if [ $# -ne 1 ]; then
  echo "usage: $0 DESTINATION" >&2
  exit 2
fi
destination=$1
proto=$(dirname "$0")/../proto

mkdir -p "$destination/include"
protoc-c --c_out="$destination" --proto_path="$proto" "$proto/jobbroker.proto"
mv "$destination/jobbroker.pb-c.h" "$destination/include/"
