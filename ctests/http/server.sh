#!/bin/bash
# The script that the tests start nginx with: server.sh SERVERS
set -euo pipefail

if ! PATH=$PATH:/usr/sbin command -v nginx >/dev/null; then
    echo 'skipped, because nginx is not installed'
    exit 77
fi
nginx=$1/nginx
work=$(mktemp -d)
cleanup()
{
    "$nginx" stop "$work/a" 2>/dev/null || true
    "$nginx" stop "$work/b" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

fail()
{
    echo "FAILED at line ${BASH_LINENO[0]}: $*" >&2
    exit 1
}

# refused ARGUMENT...: with a word of why, and nothing for a shell to take.
refused()
{
    ! "$nginx" "$@" >"$work/out" 2>"$work/err" || fail "nginx $* succeeded"
    [[ ! -s $work/out ]] || fail "nginx $* failed, yet printed assignments"
    grep -q '^nginx: .' "$work/err" || fail "nginx $* failed without a word"
}

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
