#!/bin/bash
# The script that the tests start Keystone and Swift with: server.sh SERVERS
# SWIFT_VENV names the environment to run them from.
set -euo pipefail

swift=$1/swift
script=$swift
. "$1/testing.sh"

# exchanges: both kinds of authentication lead to an account that keeps what is put into it.
exchanges()
{
    python3 - <<'PYTHON'
import json, os, urllib.request

def call(method, url, headers, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers, data=data)) as answer:
        return answer.headers, answer.read()

def put_and_get(storage, token):
    for path, data in ("/box", b""), ("/box/image", b"hello"):
        call("PUT", storage + path, {"X-Auth-Token": token}, data)
    assert call("GET", storage + "/box/image", {"X-Auth-Token": token})[1] == b"hello"

env = os.environ
project, user = env["SWIFT_USER"].split(":")
domain = {"domain": {"id": "default"}}
credentials = {"auth": {
    "identity": {"methods": ["password"], "password": {"user": {"name": user, "password": env["SWIFT_KEY"]} | domain}},
    "scope": {"project": {"name": project} | domain}}}
headers, _ = call("POST", env["SWIFT_KEYSTONE_URL"] + "/auth/tokens", {"Content-Type": "application/json"},
                  json.dumps(credentials).encode())
put_and_get(env["SWIFT_STORAGE_URL"], headers["X-Subject-Token"])

headers, _ = call("GET", env["SWIFT_V1_URL"], {"X-Auth-User": env["SWIFT_V1_USER"], "X-Auth-Key": env["SWIFT_V1_KEY"]})
assert headers["X-Storage-Url"] == env["SWIFT_V1_STORAGE_URL"]
put_and_get(headers["X-Storage-Url"], headers["X-Auth-Token"])
PYTHON
}

set -a
# Another directory has another server.
eval "$("$swift" start "$work/a")"
exchanges || fail 'the first does not serve'
first=$SWIFT_URL
eval "$("$swift" start "$work/b")"
[[ $SWIFT_URL != "$first" ]] || fail 'two servers have one port'
exchanges || fail 'the second does not serve'
refused start "$work/b"

# Killed, it leaves pid files, which are nobody's; it comes back where it was, with what it held.
kill -KILL "$(<"$SWIFT_PROXY_PID_FILE")"
"$swift" stop "$work/b"
second=$SWIFT_STORAGE_URL
eval "$("$swift" start "$work/b")"
[[ $SWIFT_STORAGE_URL == "$second" ]] || fail "it has moved from $second to $SWIFT_STORAGE_URL"
exchanges || fail 'it does not serve after a restart'
"$swift" stop "$work/b"
refused stop "$work/b"
! (exec 3<>"/dev/tcp/127.0.0.1/${SWIFT_URL##*:}") 2>/dev/null || fail 'it serves after its end'

# A port that another has is not taken from it.
cp "$work/a/ports" "$work/b/ports"
refused start "$work/b"
eval "$(<"$work/a/assignments")"
exchanges || fail 'the first does not serve any more'

"$swift" stop "$work/a"
refused stop "$work/a"
refused start
refused restart "$work/a"
refused start "$work/with space"
