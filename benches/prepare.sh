# What the benches of servers have in common; sourced with $root and $benches set. Builds the library and `transfer`
# into $programs and makes $images in memory, both of which are gone at the end.
#
#   start_server NAME ARGUMENTS...   starts ctests/servers/NAME in $programs, ends it in the end, and exports what it
#                                    tells of itself

programs=$(mktemp -d)
images=$(mktemp -d -p "${GS_BENCH_MEMORY:-/dev/shm}" gs-bench-XXXXXX)
server=
cleanup()
{
    [[ -z $server ]] || "$root/ctests/servers/$server" stop "$programs/server" 2>/dev/null || true
    rm -rf "$programs" "$images"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

start_server()
{
    local assignments
    server=$1
    assignments=$("$root/ctests/servers/$server" start "$programs/server" "${@:2}")
    set -a
    eval "$assignments"
    set +a
}

target=${CARGO_TARGET_DIR:-$root/target}
cargo build --release --quiet --manifest-path "$root/Cargo.toml" --target-dir "$target" --lib
library=$target/release/libglance_store.so
ln -s "$library" "$programs/libglance_store.so.0"
"${CC:-cc}" -O2 "-I$root/include" "-Wl,-rpath,$programs" -o "$programs/transfer" \
    "$benches/transfer.c" "$benches/measure.c" "$library"

# These change where clients go, and whom they trust.
unset AWS_CA_BUNDLE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE SSL_CERT_FILE SSL_CERT_DIR
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
