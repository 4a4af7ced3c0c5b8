"""Generated from proto/jobbroker.proto by scripts/generate_proto.sh."""
