#!/usr/bin/env bash
# Builds the C client with gcc and clang and runs all its tests: as they are, under valgrind, under AddressSanitizer,
# UBSan and ThreadSanitizer, then what is installed, the README and the examples.
#
#   JOBBROKERD=/path/to/jobbrokerd clients/c/test.sh
set -euo pipefail
cd "$(dirname "$0")"
: "${JOBBROKERD:?is not set: the path of the daemon}"
JOBBROKERD=$(realpath "$JOBBROKERD")
export JOBBROKERD

readonly tests=(parts wire operations callbacks claims heartbeats reconnect loop fork withdraw worker stopping memory examples)
readonly sanitize="-O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all"

say() { printf '== %s\n' "$*"; }

# Runs tests of a build, each by the command that follows.
run_tests() {
  local build=$1 test
  shift
  for test in "${names[@]}"; do
    "$@" "build/$build/test_$test"
  done
}

build() {
  local name=$1
  shift
  say "build: $name"
  make --silent --jobs=2 BUILD="build/$name" WERROR=-Werror "$@"
}

build gcc CC=gcc programs
if command -v clang >/dev/null; then build clang CC=clang programs; fi
build asan CC=gcc CFLAGS="$sanitize -fsanitize=address,undefined" programs
build tsan CC=gcc CFLAGS="$sanitize -fsanitize=thread" build/tsan/test_worker build/tsan/test_stopping build/tsan/test_withdraw build/tsan/test_loop

say "tests"
names=("${tests[@]}")
run_tests gcc

say "tests under AddressSanitizer and UBSan"
run_tests asan

say "conformance under AddressSanitizer and UBSan"
BUILD=build/asan ../conformance.py c

say "tests under ThreadSanitizer"
names=(worker stopping withdraw loop)
run_tests tsan

say "tests under valgrind"
# The fifty thousand damaged replies of `wire` have been looked at by the sanitizers; here it takes long, and finds leaks.
names=("${tests[@]}")
run_tests gcc valgrind --quiet --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all --error-exitcode=99

say "what is installed"
stage=$(mktemp --directory /tmp/jb-c-XXXXXX)
# shellcheck source=clients/c/broker.sh
source ./broker.sh
start_broker
trap 'stop_broker; rm -rf "$stage"' EXIT
make --silent BUILD=build/gcc PREFIX=/opt/jobbroker DESTDIR="$stage" install
installed=$stage/opt/jobbroker
export PKG_CONFIG_PATH=$installed/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$stage LD_LIBRARY_PATH=$installed/lib
read -ra flags <<<"$(pkg-config --cflags --libs jobbroker)"
[[ $(readelf --dynamic "$installed/lib/libjobbroker.so") == *'soname: [libjobbroker.so.1]'* ]]
exported() { nm --defined-only --extern-only --format=posix "$@" | awk 'NF > 1 { print $1 }' | sort; }
exported --dynamic "$installed/lib/libjobbroker.so" >"$stage/shared"
exported "$installed/lib/libjobbroker.a" >"$stage/static"
grep --quiet '^jobbroker_create$' "$stage/shared"
[[ -z $(grep --invert-match '^jobbroker_' "$stage/shared" || true) ]]
cmp "$stage/shared" "$stage/static"
version=$(sed -n 's/^#define JOBBROKER_VERSION "\(.*\)"$/\1/p' include/jobbroker/types.h)
[[ -n $version && $(pkg-config --modversion jobbroker) == "$version" ]]
for compiler in g++ clang++; do
  command -v "$compiler" >/dev/null || continue
  for standard in c++11 c++20; do
    "$compiler" -std=$standard -Wall -Wextra -Wpedantic -Werror tests/header.cpp "${flags[@]}" -o "$stage/header"
    "$stage/header"
  done
done

say "the README's quick start"
export JOBBROKER_SOCKET=$SOCKET
# shellcheck disable=SC2016
sed -n '/^```c$/,/^```$/{/^```/!p}' README.md >"$stage/quickstart.c"
gcc -std=c11 -Wall -Wextra -Wpedantic -Werror "$stage/quickstart.c" "${flags[@]}" -o "$stage/quickstart"
"$stage/quickstart" | grep --extended-regexp '^created [0-9a-f-]{36}$'
read -ra static_flags <<<"$(pkg-config --static --cflags --libs jobbroker)"
gcc -std=c11 -static "$stage/quickstart.c" "${static_flags[@]}" -o "$stage/quickstart-static"
env --unset=LD_LIBRARY_PATH "$stage/quickstart-static" | grep --extended-regexp '^created [0-9a-f-]{36}$'

say "the examples"
build/asan/example_worker ingest >"$stage/worker.log" &
worker=$!
build/asan/example_produce ingest '{"url":"https://example.org/ä.wav"}' | tee "$stage/produce.log"
grep --quiet '^COMPLETE .*{"duration":12.5}$' "$stage/produce.log"
kill -TERM $worker
wait $worker
grep --quiet 'example.org' "$stage/worker.log"

say "all passed"
