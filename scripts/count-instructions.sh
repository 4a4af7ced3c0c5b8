#!/usr/bin/env bash
# Counts the instructions that the broker's loop runs for each lifecycle, with valgrind's callgrind: where a host is too
# busy for rates to be compared, these still can. What the kernel does for it is not among them.
#
#   scripts/count-instructions.sh [BROKER]...     default: .build/release/jobbrokerd
#   CLIENTS=2 scripts/count-instructions.sh       default: 64
#
# `make release` and `make bench-peers` build what it needs. The profile stays in .build/callgrind, for callgrind_annotate.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

brokers=("$@")
((${#brokers[@]} > 0)) || brokers=(.build/release/jobbrokerd)
peers=.build/benchmarks/release/peers
command -v valgrind >/dev/null || { echo "valgrind is missing: apt-get install valgrind" >&2; exit 69; }
[[ -x $peers ]] || { echo "$peers is missing: run make bench-peers" >&2; exit 69; }

folder=$PWD/.build/callgrind
for broker in "${brokers[@]}"; do
  rm -rf "$folder" && mkdir -p "$folder"
  # valgrind can't read Swift's debug information.
  strip --strip-debug -o "$folder/jobbrokerd" "$broker"
  cat >"$folder/run" <<END
#!/bin/sh
exec valgrind --quiet --tool=callgrind --separate-threads=yes --callgrind-out-file=$folder/out $folder/jobbrokerd "\$@"
END
  chmod +x "$folder/run"
  "$peers" --broker "$folder/run" --peers none --measure lifecycles --clients "${CLIENTS:-64}" --rounds 1 --seconds 10 \
    --warm-up 2 >/dev/null
  # The loop is the thread with the most; each lifecycle has three responses. The start of the broker is counted, too.
  awk -v broker="$broker" '
    FNR == 1 { pack = "none"; packed = 0 }
    # A name stands where its number is first used, be it as the caller.
    /^c?fn=/ { split($0, id, /[()]/); if (/jobbroker__response__pack$/) pack = id[2] }
    /^cfn=/ { called = id[2] }
    /^calls=/ && called == pack { split($1, count, "="); packed += count[2] }
    /^totals:/ && $2 > instructions { instructions = $2; responses = packed }
    END {
      if (!responses) { print broker ": no lifecycle was seen" > "/dev/stderr"; exit 1 }
      printf "%s: %d instructions a lifecycle (%d lifecycles)\n", broker, 3 * instructions / responses, responses / 3
    }
  ' "$folder"/out-*
done
