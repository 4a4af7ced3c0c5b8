#!/usr/bin/env bash
# Measures the broker side by side with peers of the same durability; see Benchmarks/README.md.
#
#   scripts/bench-peers.sh [option of `peers`]...    --help lists them; without --broker the release build is measured
#
# BENCH_SCRATCH is where the generator is built (default .build/benchmarks).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly scratch=${BENCH_SCRATCH:-$root/.build/benchmarks}
readonly policy=/usr/sbin/policy-rc.d

say() { printf 'bench-peers: %s\n' "$*" >&2; }

# Prints the packages of the peers whose programs are not there.
missing_packages() {
  command -v beanstalkd >/dev/null || echo beanstalkd
  command -v redis-server >/dev/null || echo redis-server
  command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || echo postgresql
}

# Installs packages without the services that they bring being started.
install_packages() {
  local blocked=no
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    blocked=yes
  fi
  say "installing $*"
  local failed=no
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet)
  local install=(install --yes --no-install-recommends "$@")
  "${apt[@]}" "${install[@]}" </dev/null >/dev/null 2>&1 ||
    { "${apt[@]}" update </dev/null && "${apt[@]}" "${install[@]}" </dev/null >/dev/null; } || failed=yes
  [[ $blocked == no ]] || rm -f "$policy"
  [[ $failed == no ]] || say "could not install $*; what is missing is left out"
}

# Whether the arguments name a broker, or ask for nothing that needs one.
names_broker() {
  local argument
  for argument in "$@"; do
    [[ $argument != --broker && $argument != --help ]] || return 0
  done
  return 1
}

main() {
  export PATH="$PATH:/usr/sbin"
  local packages
  mapfile -t packages < <(missing_packages)
  if ((${#packages[@]} > 0)); then
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
      install_packages "${packages[@]}"
    else
      say "left out, because they are not installed: ${packages[*]}"
    fi
  fi

  "$root/scripts/setup.sh" bench
  local build=(swift build --configuration release)
  "${build[@]}" --package-path "$root/Benchmarks" --scratch-path "$scratch" --product peers >&2
  local broker=()
  if ! names_broker "$@"; then
    make --directory "$root" --no-print-directory release >&2
    broker=(--broker "$("${build[@]}" --package-path "$root" --show-bin-path)/jobbrokerd")
  fi
  # In this shell's place, so that Ctrl-C reaches the one who stops the servers.
  exec "$("${build[@]}" --package-path "$root/Benchmarks" --scratch-path "$scratch" --show-bin-path)/peers" \
    "${broker[@]}" "$@"
}

main "$@"
