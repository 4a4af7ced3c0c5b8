#!/usr/bin/env bash
# Runs the Swift tests under ThreadSanitizer and then under AddressSanitizer, each in a build of its own, and the broker
# and jobctl that they start are of that build too. The C client's tests do the same for it (clients/c).
#
#   scripts/sanitize.sh [thread|address]...   both by default
#
# Left out, in both: the tests of `jobctl bench`; DiskFaultTests' power cuts and sweep of faults, which start no thread and
# take an hour so; and ClockTests, whose libfaketime hangs a sanitized process as it starts. What measures memory runs, and
# judges nothing by it, for it would tell of the sanitizer.
# Under AddressSanitizer also what preloads a library (`PreloadedLibrary`), for its runtime must come first, and
# ConfinementTests, whose sandbox its runtime hangs in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kinds=("$@")
((${#kinds[@]} > 0)) || kinds=(thread address)
export TSAN_OPTIONS=halt_on_error=0:exitcode=66:suppressions=$PWD/scripts/tsan-suppressions.txt
# Swift's runtime keeps metadata for ever, and a broker that ends does not free what the kernel frees.
export ASAN_OPTIONS=detect_leaks=0

scripts/setup.sh test
scripts/sqld.sh >/dev/null
failed=0
for kind in "${kinds[@]}"; do
  build=(--sanitize="$kind" --scratch-path ".build/$kind")
  nice -n 15 swift build --build-tests "${build[@]}"
  log=.build/$kind/tests.log
  export JOBBROKER_SANITIZER=$kind
  skip=(--skip BenchTests --skip PowerCutTests --skip FaultSweepTests --skip ClockTests)
  [[ $kind == thread ]] || skip+=(--skip ConfinementTests)
  status=0
  # One test at a time, for each takes many times as long as usual and has a limit.
  swift test --skip-build --disable-xctest --no-parallel "${build[@]}" "${skip[@]}" >"$log" 2>&1 </dev/null || status=$?
  reports=$(grep -cE '(WARNING: ThreadSanitizer|ERROR: AddressSanitizer)' "$log" || true)
  ((status == 0 && reports == 0)) || {
    failed=1
    grep -E -A 12 '(WARNING: ThreadSanitizer|ERROR: AddressSanitizer)' "$log" | head -n 60 || true
    grep '^✘' "$log" || true
  }
  printf 'trust | no races, no bad memory | the Swift tests under %sSanitizer | %s tests | %s | -\n' \
    "${kind^}" "$(grep -c '^✔ Test ' "$log" || true)" "$((reports + (status != 0 ? 1 : 0)))"
done
exit "$failed"
