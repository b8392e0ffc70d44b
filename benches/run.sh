#!/bin/sh
# Measures the library against MD5 alone, dd, cp and the Python glance_store, and prints Markdown.
#
#   GS_BENCH_MIB=1024    size of the image; the sparse one and the one for the disk have 4 times that
#   GS_BENCH_ROUNDS=5    how often each contestant runs, in turn
#   GS_BENCH_ONLY=       only the works whose names contain this word
#   GS_BENCH_MEMORY=/dev/shm   where the works that are bound by memory put their data
#   GS_BENCH_DISK=/var/tmp     a directory on a real disk
#   GS_BENCH_VENV=build/interop-venv   where the Python glance_store is or will be installed
set -eu

benches=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$benches")
target=${CARGO_TARGET_DIR:-$root/target}
venv=${GS_BENCH_VENV:-$root/build/interop-venv}
programs=$(mktemp -d)
trap 'rm -rf "$programs"' EXIT
trap 'exit 1' HUP INT TERM

cargo build --release --quiet --manifest-path "$root/Cargo.toml" --target-dir "$target"
cargo build --release --quiet --locked --manifest-path "$benches/md5_alone/Cargo.toml" \
    --target-dir "$target"
"$root/ctests/interop/venv.sh" "$venv"

library=$target/release/libglance_store.so
ln -s "$library" "$programs/libglance_store.so.0"
for program in transfer open_close; do
    ${CC:-cc} -O2 -I"$root/include" -o "$programs/$program" \
        "$benches/$program.c" "$benches/measure.c" "$library" -Wl,-rpath,"$programs" -ldl
done
ln -s "$target/release/md5-alone" "$programs/md5-alone"

"$venv/bin/python" "$benches/bench.py" "$programs"
