#!/usr/bin/env bash
# Builds the programs, optimised and with Swift's library in them, and installs them with units and completions.
#
#   scripts/install.sh PREFIX [DESTDIR]
#
# PREFIX is where they will be (/usr/local), DESTDIR is put before it, to fill a package's folder.
set -euo pipefail

[[ $# -ge 1 && $# -le 2 && $1 == /* ]] || {
  echo "usage: scripts/install.sh PREFIX [DESTDIR]; PREFIX is an absolute path" >&2
  exit 2
}
readonly prefix=${1%/}
target=${2:+$(realpath --canonicalize-missing "$2")}$prefix
readonly target
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# In a folder of its own: a build with other options would undo that of `make release`.
readonly build=(--configuration release --static-swift-stdlib --scratch-path .build/install)
readonly programs=(jobbrokerd jobctl)
for program in "${programs[@]}"; do swift build "${build[@]}" --product "$program"; done
bin=$(swift build "${build[@]}" --show-bin-path)

completion() { install -D --mode=644 <("$bin/$1" --generate-completion-script "$2") "$target/share/$3"; }

for program in "${programs[@]}"; do
  install -D --strip "$bin/$program" "$target/bin/$program"
  completion "$program" bash "bash-completion/completions/$program"
  completion "$program" zsh "zsh/site-functions/_$program"
  completion "$program" fish "fish/vendor_completions.d/$program.fish"
done
install -D --mode=644 --target-directory="$target/lib/systemd/system" packaging/systemd/jobbroker.{service,socket}
sed --in-place "s|/usr/bin/jobbrokerd|$prefix/bin/jobbrokerd|" "$target/lib/systemd/system/jobbroker.service"
install -D --mode=644 --target-directory="$target/lib/sysusers.d" packaging/sysusers.d/jobbroker.conf
install -D --mode=644 --target-directory="$target/share/doc/jobbroker" packaging/systemd/libsql.conf docs/deployment.md
echo "installed in $target; docs/deployment.md says how to go on"
