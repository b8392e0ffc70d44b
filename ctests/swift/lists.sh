#!/bin/bash
# Runs a program while another proxy server of the same Swift takes just two segments in a list, and deletes no more
# than twenty at once: lists.sh COMMAND...
# The server is in the environment (with_swift.sh), and SWIFT_VENV; the program finds LISTS_STORAGE_URL there.
set -euo pipefail

directory=$(dirname "$SWIFT_PROXY_PID_FILE")
work=$(mktemp -d)
cleanup()
{
    [[ -z ${proxy:-} ]] || kill "$proxy" || true
    rm -rf "$work"
}
trap cleanup EXIT

port=$(python3 -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])')
sed -e "s/^bind_port = .*/bind_port = $port/" -e 's/^use = egg:swift#slo$/&\nmax_manifest_segments = 2/' \
    "$directory/etc/proxy.conf" >"$work/proxy.conf"
PYTHONWARNINGS=ignore "$SWIFT_VENV/bin/python" "$SWIFT_VENV/bin/swift-proxy-server" "$work/proxy.conf" -v >"$work/log" 2>&1 &
proxy=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 "$proxy" || { cat "$work/log" >&2; exit 1; }
    sleep 0.05
done
export LISTS_STORAGE_URL=http://127.0.0.1:$port/v1/AUTH_$SWIFT_PROJECT_ID
"$@"
