#!/usr/bin/env bash
# Installs the programs with units and completions.
#
#   scripts/install.sh FOLDER PREFIX [DESTDIR]
#
# FOLDER is where `make release` left the programs, PREFIX where they will be (/usr/local); DESTDIR is put before it, to
# fill a package's folder. `make install` calls this.
set -euo pipefail

[[ $# -ge 2 && $# -le 3 && $2 == /* ]] || {
  echo "usage: scripts/install.sh FOLDER-OF-THE-PROGRAMS PREFIX [DESTDIR]; PREFIX is an absolute path" >&2
  exit 2
}
bin=$(realpath "$1")
readonly bin prefix=${2%/}
target=${3:+$(realpath --canonicalize-missing "$3")}$prefix
readonly target
cd "$(dirname "${BASH_SOURCE[0]}")/.."

completion() { install -D --mode=644 <("$bin/$1" --generate-completion-script "$2") "$target/share/$3"; }

for program in jobbrokerd jobctl; do
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
