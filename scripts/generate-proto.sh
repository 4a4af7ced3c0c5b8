#!/bin/sh
# Writes the C code of proto/jobbroker.proto into a folder laid out as Sources/CJobBrokerProto:
#
#   scripts/generate-proto.sh Sources/CJobBrokerProto     # after a change of the schema
#   scripts/generate-proto.sh /tmp/x && diff -r /tmp/x Sources/CJobBrokerProto -x module.modulemap     # in CI
#
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
