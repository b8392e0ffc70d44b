#!/bin/bash
# Measures adds to and gets from S3 on this machine, a radosgw whose objects lie in memory, against the Python
# glance_store, awscli, rclone and curl, as far as these are installed; prints Markdown.
#
#   GS_BENCH_MIB=1024    size of the image
#   GS_BENCH_ROUNDS=5    how often each contestant runs, in turn
#   GS_BENCH_ONLY=       only the works whose names contain this word
#   GS_BENCH_MEMORY=/dev/shm   where the image and its copies lie
#   GS_BENCH_VENV=build/interop-venv   where the Python glance_store is or will be installed
set -euo pipefail

benches=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$benches")
PATH=$PATH:/usr/sbin command -v radosgw >/dev/null || { echo "s3.sh: radosgw is not installed" >&2; exit 1; }
. "$benches/prepare.sh"
venv=${GS_BENCH_VENV:-$root/build/interop-venv}
"$root/ctests/interop/venv.sh" "$venv"

start_server ceph radosgw
"$venv/bin/python" "$benches/s3.py" "$programs" "$images"
