#!/usr/bin/env bash
# All checks of the Python client: style, types, the generated code, tests, and the package on a fresh machine.
#
#   JOBBROKERD=/path/to/jobbrokerd clients/python/test.sh [PYTEST ARGUMENTS]
#
# Makes a virtual environment from PyPI first (venv.sh). Needs protoc for the check of the generated code.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
: "${JOBBROKERD:?set it to the path of the daemon}"
export JOBBROKERD

python=$(./venv.sh)
readonly python

"$python" -m ruff check --quiet .
"$python" -m ruff format --quiet --check .
"$python" -m mypy --no-error-summary
scripts/generate_proto.sh --check
"$python" -m pytest --quiet "$@"
