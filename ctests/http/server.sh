#!/bin/bash
# The script that the tests start nginx with: server.sh SERVERS
set -euo pipefail

if ! PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
    echo 'skipped, because nginx is not installed'
    exit 77
fi
nginx=$1/nginx
script=$nginx
. "$1/testing.sh"

answers()
{
    python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' "$1/image"
}

eval "$("$nginx" start "$work/a")"
first=$NGINX_URL
echo hello >"$NGINX_IMAGES/image"
answers "$first"
refused start "$work/a"
answers "$first"

# Another directory has another server.
eval "$("$nginx" start "$work/b")"
[[ $NGINX_URL != "$first" ]] || fail 'two servers have one port'
"$nginx" stop "$work/b"
answers "$first"

# Killed, it leaves a pid file, which is nobody's; it comes back where it was.
eval "$("$nginx" start "$work/b")"
kill -KILL "$NGINX_PID"
eval "$("$nginx" start "$work/b")"
"$nginx" stop "$work/b"
refused stop "$work/b"

# A port that another has is not taken from it.
cp "$work/a/ports" "$work/b/ports"
refused start "$work/b"
answers "$first"

"$nginx" stop "$work/a"
refused stop "$work/a"
! answers "$first" 2>/dev/null || fail 'it serves after its end'
refused start
refused restart "$work/a"
refused start "$work/with space"
