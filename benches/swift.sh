#!/bin/bash
# Measures adds to and gets from a Swift on this machine against the Python glance_store, python-swiftclient, curl
# and, if there is one, rclone, and counts requests to Keystone; prints Markdown.
#
#   GS_BENCH_MIB=1024    size of the image, rounded down to whole segments
#   GS_BENCH_ROUNDS=5    how often each contestant runs, in turn
#   GS_BENCH_ONLY=       only the works whose names contain this word
#   GS_BENCH_MEMORY=/dev/shm   where the image, its copies and the server's objects lie
#   GS_BENCH_VENV=build/interop-venv   where the Python glance_store is or will be installed
#   GS_BENCH_SWIFT_VENV=build/swift-venv   where Swift and Keystone are or will be installed
set -euo pipefail

benches=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$benches")
command -v curl >/dev/null || { echo "swift.sh: curl is not installed" >&2; exit 1; }
. "$benches/prepare.sh"
venv=${GS_BENCH_VENV:-$root/build/interop-venv}
"$root/ctests/interop/venv.sh" "$venv"

export SWIFT_VENV=${GS_BENCH_SWIFT_VENV:-$root/build/swift-venv} SWIFT_OBJECTS=$images/objects
start_server swift
export GLANCE_STORE_LIBRARY=$library PYTHONPATH=$root/bindings/python
"$venv/bin/python" "$benches/objects.py" "$programs" "$images"
