#!/usr/bin/env bash
# Measures the broker with closed loops of clients, each against a broker of its own with an empty store.
#
#   scripts/bench.sh FOLDER    the folder of jobbrokerd and jobctl; `make bench` builds them and calls this
set -euo pipefail

readonly jobctl=${1:?usage: scripts/bench.sh FOLDER-OF-THE-PROGRAMS}/jobctl

measure() {
  printf '\n== jobctl bench %s\n' "$*"
  "$jobctl" bench "$@"
}

measure --durability full --clients 2 --jobs 10000
measure --durability full --clients 16 --jobs 50000
measure --durability full --clients 64 --jobs 100000
measure --durability relaxed --clients 64 --jobs 200000
measure --durability full --wake --jobs 2000
