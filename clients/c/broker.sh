# shellcheck shell=bash
# For scripts: a broker on a private socket and an empty store. Sets SOCKET; it ends with the script.

start_broker() {
  BROKER_FOLDER=$(mktemp --directory /tmp/jb-c-XXXXXX)
  SOCKET=$BROKER_FOLDER/s
  mkfifo "$BROKER_FOLDER/ready"
  "$JOBBROKERD" --socket "$SOCKET" --db "$BROKER_FOLDER/j.db" >"$BROKER_FOLDER/ready" 2>/dev/null &
  BROKER=$!
  trap stop_broker EXIT
  grep --quiet --max-count=1 '^ready ' "$BROKER_FOLDER/ready"
}

stop_broker() {
  kill "$BROKER" 2>/dev/null || true
  wait "$BROKER" 2>/dev/null || true
  rm -rf "$BROKER_FOLDER"
  trap - EXIT
}
