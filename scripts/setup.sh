#!/usr/bin/env bash
# Installs what is missing on a Debian or Ubuntu machine; silent when everything is there.
#
#   scripts/setup.sh build   the system libraries (always included)
#   scripts/setup.sh test    and what the tests, the lint and the check of generated code need
#   scripts/setup.sh demo    and what the demo needs: sound files, sox, jq
#   scripts/setup.sh bench   and what the generator of Benchmarks is built with
set -euo pipefail

readonly needed_swift=6.2
readonly build_packages=(ca-certificates git libprotobuf-c-dev pkg-config)
readonly test_packages=(libfaketime protobuf-c-compiler python3 shellcheck)
# What the broker's sandbox is put up with (scripts/confined.py) and judged by.
readonly sandbox_packages=(bubblewrap python3 python3-seccomp systemd util-linux)
# The C client is tested with gcc, and with clang where there is one: the Swift toolchain brings it along.
readonly clients_c_packages=(g++ gcc make python3 valgrind)
# The rest of what the Python client is tested with comes from PyPI, into a virtual environment.
readonly clients_python_packages=(protobuf-compiler python3 python3-venv)
readonly clients_typescript_packages=(node-typescript nodejs)
readonly demo_packages=(alsa-utils jq libsox-fmt-base sox)
# For the original design, which opens the database itself.
readonly bench_packages=(libsqlite3-dev)

say() { printf 'setup: %s\n' "$*" >&2; }

die() {
  say "$*"
  exit 1
}

check_swift() {
  command -v swift >/dev/null ||
    die "Swift $needed_swift or newer is needed and no swift is on PATH; see https://www.swift.org/install"
  local version
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
  printf '%s\n%s\n' "$needed_swift" "$version" | sort --check=quiet --version-sort ||
    die "Swift $needed_swift or newer is needed; this is ${version:-of unknown version}; see https://www.swift.org/install"
}

is_installed() {
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Prints the command that gives root's rights: nothing for root itself. Fails if there is none.
as_root() {
  if ((EUID == 0)); then
    return 0
  fi
  command -v sudo >/dev/null || return 1
  if [[ -t 0 ]]; then
    echo sudo
  else
    sudo --non-interactive true 2>/dev/null && echo sudo --non-interactive
  fi
}

install_packages() {
  local prefix
  prefix=$(as_root) || die "missing packages; as root, run: apt-get install $*"
  say "installing $*"
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet)
  local install=(install --yes --no-install-recommends "$@")
  # $prefix is one of as_root's fixed answers, so it may be split into words.
  # The package lists are fetched only if those at hand cannot do it.
  # shellcheck disable=SC2086
  if ! $prefix "${apt[@]}" "${install[@]}" </dev/null >/dev/null 2>&1; then
    say "fetching the package lists"
    $prefix "${apt[@]}" update </dev/null
    $prefix "${apt[@]}" "${install[@]}" </dev/null >/dev/null
  fi
}

main() {
  local wanted=("${build_packages[@]}")
  case "${1:-}" in
    build) ;;
    test)
      wanted+=("${test_packages[@]}" "${clients_c_packages[@]}" "${clients_python_packages[@]}")
      wanted+=("${clients_typescript_packages[@]}" "${sandbox_packages[@]}")
      # scripts/sqld.sh downloads with it.
      python3 -m pip --version >/dev/null 2>&1 || wanted+=(python3-pip)
      ;;
    demo) wanted+=("${demo_packages[@]}") ;;
    bench) wanted+=("${bench_packages[@]}") ;;
    *) die "usage: scripts/setup.sh build|test|demo|bench" ;;
  esac

  if command -v dpkg-query >/dev/null; then
    local package missing=()
    for package in "${wanted[@]}"; do
      is_installed "$package" || missing+=("$package")
    done
    ((${#missing[@]} == 0)) || install_packages "${missing[@]}"
  else
    say "this is no Debian or Ubuntu; please see to it that there is: ${wanted[*]}"
  fi
  check_swift
}

main "$@"
