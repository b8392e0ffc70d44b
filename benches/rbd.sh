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
target=${CARGO_TARGET_DIR:-$root/target}
venv=${GS_BENCH_VENV:-$root/build/rbd-venv}
for program in ceph-mon ceph-osd rbd; do
    PATH=$PATH:/usr/sbin command -v "$program" >/dev/null || { echo "rbd.sh: $program is not installed" >&2; exit 1; }
done

programs=$(mktemp -d)
images=$(mktemp -d -p "${GS_BENCH_MEMORY:-/dev/shm}" gs-bench-XXXXXX)
cleanup()
{
    "$root/ctests/servers/ceph" stop "$programs/ceph" 2>/dev/null || true
    rm -rf "$programs" "$images"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

cargo build --release --quiet --manifest-path "$root/Cargo.toml" --target-dir "$target" --lib
PYTHON=/usr/bin/python3 VENV_OPTIONS=--system-site-packages "$root/ctests/interop/venv.sh" "$venv"

library=$target/release/libglance_store.so
ln -s "$library" "$programs/libglance_store.so.0"
"${CC:-cc}" -O2 "-I$root/include" "-Wl,-rpath,$programs" -o "$programs/transfer" \
    "$benches/transfer.c" "$benches/measure.c" "$library"

assignments=$("$root/ctests/servers/ceph" start "$programs/ceph")
set -a
eval "$assignments"
"$venv/bin/python" "$benches/ceph.py" "$programs" "$images"
