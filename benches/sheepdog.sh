#!/bin/bash
# Measures the sheepdog driver on a cluster in memory whose every answer takes a moment, and prints Markdown: how many
# requests are under way, and how many bytes are copied in memory for each that is stored or fetched.
#
#   GS_BENCH_MIB=256     size of the image
#   GS_BENCH_DELAY=20    milliseconds before each answer
#   GS_BENCH_MEMORY=/dev/shm   where the image and its copy lie
set -euo pipefail

benches=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$benches")
target=${CARGO_TARGET_DIR:-$root/target}
mib=${GS_BENCH_MIB:-256}
delay=${GS_BENCH_DELAY:-20}
work=$(mktemp -d -p "${GS_BENCH_MEMORY:-/dev/shm}" gs-bench-XXXXXX)
sheepdog=$root/ctests/servers/sheepdog
cleanup()
{
    "$sheepdog" stop "$work/server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

cargo build --release --quiet --manifest-path "$root/Cargo.toml" --target-dir "$target" --lib
export SHEEPDOG_SERVER=$work/sheepdog-server
rustc --edition 2024 -O -o "$SHEEPDOG_SERVER" "$root/ctests/servers/sheepdog-server/main.rs"
library=$target/release/libglance_store.so
ln -s "$library" "$work/libglance_store.so.0"
"${CC:-cc}" -O2 "-I$root/include" -o "$work/transfer" "$benches/transfer.c" "$benches/measure.c" \
    "$library" "-Wl,-rpath,$work"
"${CC:-cc}" -O2 -fno-builtin -fPIC -shared -o "$work/copies.so" "$benches/copies.c"
head -c "${mib}M" /dev/urandom >"$work/image"

# configure CONNECTIONS: a cluster, and a store that uses it over so many connections.
configure()
{
    eval "$("$sheepdog" start "$work/server" delay="$delay")"
    cat >"$work/glance.conf" <<CONFIG
[glance_store]
stores = sheepdog
default_store = sheepdog
sheepdog_store_port = $SHEEPDOG_PORT
sheepdog_store_connections = $1
CONFIG
}

# measure WORK TRANSFER CONNECTIONS IMAGE FILE: a line of the table; copying is counted in a run of its own.
measure()
{
    local work_name=$1 transfer=$2 connections=$3 image=$4 file=$5 wall cpu memory most bytes
    local counted=$image
    # What was counted so far is forgotten.
    "$SHEEPDOG_SERVER" most "$SHEEPDOG_PORT" >/dev/null
    read -r wall cpu memory < <("$work/transfer" "$transfer" "$work/glance.conf" "$image" "$file")
    most=$("$SHEEPDOG_SERVER" most "$SHEEPDOG_PORT")
    [[ $transfer != add-* ]] || counted=counted
    LD_PRELOAD=$work/copies.so GS_BENCH_COPIES=$work/copies \
        "$work/transfer" "$transfer" "$work/glance.conf" "$counted" "$file" >/dev/null
    bytes=$(cat "$work/copies")
    awk -v name="$work_name" -v connections="$connections" -v wall="$wall" -v cpu="$cpu" -v memory="$memory" \
        -v most="$most" -v bytes="$bytes" -v mib="$mib" 'BEGIN {
            printf "| %s | %d | %d | %.3f | %.2f | %.2f | %.0f | %.0f |\n", name, connections, most,
                bytes / (mib * 1048576), wall, cpu, mib / wall, memory / 1024 }'
}

echo "$mib MiB random, objects of 4 MiB, $delay ms before each answer."
echo
echo '| work | connections | requests under way, at most | bytes copied per byte | wall s | CPU s | MiB/s | peak MiB |'
echo '|---|---:|---:|---:|---:|---:|---:|---:|'
for connections in 1 4; do
    for transfer in add-fd add-callback; do
        configure "$connections"
        measure "${transfer/-/ from: }" "$transfer" "$connections" image "$work/image"
        "$sheepdog" stop "$work/server"
    done
    for transfer in get-fd get-callback; do
        configure "$connections"
        "$work/transfer" add-fd "$work/glance.conf" image "$work/image" >/dev/null
        measure "${transfer/-/ to: }" "$transfer" "$connections" "sheepdog://127.0.0.1:$SHEEPDOG_PORT:image" "$work/copy"
        cmp "$work/image" "$work/copy"
        "$sheepdog" stop "$work/server"
    done
done
