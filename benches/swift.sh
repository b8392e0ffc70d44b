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
target=${CARGO_TARGET_DIR:-$root/target}
venv=${GS_BENCH_VENV:-$root/build/interop-venv}
command -v curl >/dev/null || { echo "swift.sh: curl is not installed" >&2; exit 1; }

programs=$(mktemp -d)
images=$(mktemp -d -p "${GS_BENCH_MEMORY:-/dev/shm}" gs-bench-XXXXXX)
export SWIFT_VENV=${GS_BENCH_SWIFT_VENV:-$root/build/swift-venv} SWIFT_OBJECTS=$images/objects
cleanup()
{
    "$root/ctests/servers/swift" stop "$programs/swift" 2>/dev/null || true
    rm -rf "$programs" "$images"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

cargo build --release --quiet --manifest-path "$root/Cargo.toml" --target-dir "$target" --lib
"$root/ctests/interop/venv.sh" "$venv"

library=$target/release/libglance_store.so
ln -s "$library" "$programs/libglance_store.so.0"
"${CC:-cc}" -O2 "-I$root/include" "-Wl,-rpath,$programs" -o "$programs/transfer" \
    "$benches/transfer.c" "$benches/measure.c" "$library"

# These change where curl and Python go, and whom they trust.
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

assignments=$("$root/ctests/servers/swift" start "$programs/swift")
set -a
eval "$assignments"
GLANCE_STORE_LIBRARY=$library
PYTHONPATH=$root/bindings/python
"$venv/bin/python" "$benches/objects.py" "$programs" "$images"
