#!/usr/bin/env bash
# Feeds the frame reader, the codec and a whole broker what libFuzzer makes of proto/vectors, under AddressSanitizer.
#
#   scripts/fuzz.sh RUNS [TARGET...]   so many inputs for each of FuzzFrames, FuzzMessages and FuzzConnection; a whole
#                                      broker gets a tenth of them
#
# What crashes is left in Fuzz/.build/crashes. Make a vector of it (proto/vectors/make.py), so that it stays fixed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

(($# > 0)) || {
  echo 'usage: scripts/fuzz.sh RUNS [TARGET...]' >&2
  exit 2
}
readonly runs=$1
shift
targets=("$@")
((${#targets[@]} > 0)) || targets=(FuzzFrames FuzzMessages FuzzConnection)
# The seed makes the first run of a corpus repeatable; coverage decides the rest.
readonly seed=${FUZZ_SEED:-20261125}
# Optimised, for debug builds are slow. What the compiler calls address and fuzzer is for its own code; -Xcc is for the C
# targets, which bring no main.
readonly build=(--package-path Fuzz --configuration release
  -Xswiftc "-sanitize=fuzzer,address" -Xcc "-fsanitize=fuzzer-no-link,address"
  -Xcc "-fsanitize-coverage-ignorelist=$PWD/Fuzz/coverage-ignore.txt")

mkdir -p Fuzz/.build/crashes
Fuzz/corpus.py Fuzz/.build/vectors
for target in "${targets[@]}"; do
  swift build --quiet "${build[@]}" --product "$target"
done
bin=$(swift build "${build[@]}" --show-bin-path)
failed=0
for target in "${targets[@]}"; do
  count=$runs
  [[ $target != FuzzConnection ]] || count=$((runs / 10))
  mkdir -p "Fuzz/.build/corpus/$target"
  log=Fuzz/.build/$target.log violations=0
  # Leaks are not looked for: the broker of FuzzConnection lives until the end.
  ASAN_OPTIONS=detect_leaks=0 "$bin/$target" -runs="$count" -seed="$seed" -max_len=65536 -rss_limit_mb=4096 \
    -timeout=60 -artifact_prefix="Fuzz/.build/crashes/$target-" "Fuzz/.build/corpus/$target" \
    "Fuzz/.build/vectors/$target" >"$log" 2>&1 || { violations=1 failed=1; tail -n 30 "$log"; }
  cov=$(sed -n 's/.*cov: \([0-9]*\).*/\1/p' "$log" | tail -n 1)
  printf 'trust | hostile bytes crash nothing | %s, libFuzzer with AddressSanitizer | %s inputs, %s edges | %s | %s\n' \
    "$target" "$count" "${cov:-?}" "$violations" "$seed"
done
exit "$failed"
