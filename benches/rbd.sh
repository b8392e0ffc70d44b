#!/bin/bash
# Measures adds to and gets from a Ceph in memory against the Python glance_store and rbd import and export;
# prints Markdown.
#
#   GS_BENCH_MIB=1024    size of the image; the sparse one has four times that
#   GS_BENCH_ROUNDS=5    how often each contestant runs, in turn
#   GS_BENCH_ONLY=       only the works whose names contain this word
#   GS_BENCH_MEMORY=/dev/shm   where the images and their copies lie
#   GS_BENCH_VENV=build/rbd-venv   where the Python glance_store is or will be installed, with the system's packages
set -euo pipefail

benches=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$benches")
for program in ceph-mon ceph-osd rbd; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { echo "rbd.sh: $program is not installed" >&2; exit 1; }
done
. "$benches/prepare.sh"
venv=${GS_BENCH_VENV:-$root/build/rbd-venv}
PYTHON=/usr/bin/python3 VENV_OPTIONS=--system-site-packages "$root/ctests/interop/venv.sh" "$venv"

start_server ceph
"$venv/bin/python" "$benches/ceph.py" "$programs" "$images"
