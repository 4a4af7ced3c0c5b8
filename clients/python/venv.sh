#!/usr/bin/env bash
# Prints the path of a Python that has what tests, bench and conformance adapter need. The virtual environment is made
# once, in .venv, and again when its requirements or the Python change. PYTHON: which Python; python3 by default.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here venv=$here/.venv python=${PYTHON:-python3}

made_of=$("$python" -c 'import sys; print(sys.version)'; cat "$here/requirements-test.txt")
readonly made_of

exec 9>"$here/.venv.lock"
flock 9
if [[ $(cat "$venv/made-of" 2>/dev/null) != "$made_of" ]]; then
  rm -rf "$venv"
  {
    "$python" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements-test.txt"
    # The package itself is used as it is in the source tree.
    echo "$here/src" >"$(echo "$venv"/lib/python*/site-packages)/jobbroker.pth"
  } >&2
  printf '%s\n' "$made_of" >"$venv/made-of"
fi
echo "$venv/bin/python"
