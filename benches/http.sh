#!/bin/bash
# Measures gets over HTTP, plain and by TLS, against curl and the Python glance_store, and the nbdkit
# plugin against nbdkit's curl plugin, all from one local nginx; prints Markdown.
#
#   GS_BENCH_MIB=1024    size of the image
#   GS_BENCH_ROUNDS=5    how often each contestant runs, in turn
#   GS_BENCH_ONLY=       only the works whose names contain this word
#   GS_BENCH_MEMORY=/dev/shm   where the image and its copies lie
#   GS_BENCH_VENV=build/interop-venv   where the Python glance_store is or will be installed
set -euo pipefail

benches=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$benches")
target=${CARGO_TARGET_DIR:-$root/target}
venv=${GS_BENCH_VENV:-$root/build/interop-venv}
for program in curl nbdkit nbdcopy qemu-img; do
    command -v "$program" >/dev/null || { echo "http.sh: $program is not installed" >&2; exit 1; }
done

programs=$(mktemp -d)
server=$(mktemp -d -p "${GS_BENCH_MEMORY:-/dev/shm}" gs-bench-XXXXXX)
cleanup()
{
    [[ ! -e $server/nginx.pid ]] || "$root/ctests/servers/nginx" stop "$server" || true
    rm -rf "$programs" "$server"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

cargo build --release --quiet --manifest-path "$root/Cargo.toml" --target-dir "$target"
"$root/ctests/interop/venv.sh" "$venv"

library=$target/release/libglance_store.so
ln -s "$library" "$programs/libglance_store.so.0"
options=(-D_GNU_SOURCE -O2 "-I$root/include" "-Wl,-rpath,$programs")
"${CC:-cc}" "${options[@]}" -o "$programs/transfer" "$benches/transfer.c" "$benches/measure.c" "$library"
# shellcheck disable=SC2046 # words on purpose
"${CC:-cc}" "${options[@]}" -fPIC -shared $(pkg-config --cflags nbdkit) \
    -o "$programs/nbdkit-glance-store-plugin.so" "$root/tools/nbdkit-glance-store-plugin.c" "$library"

# These change where curl and Python go, and whom they trust.
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY

assignments=$("$root/ctests/servers/nginx" start "$server")
set -a
eval "$assignments"
"$venv/bin/python" "$benches/web.py" "$programs"
