#!/bin/bash
# The script that the tests start the cluster in memory with: server.sh SERVERS
set -euo pipefail

sheepdog=$1/sheepdog
cluster=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/cluster.py
script=$sheepdog
. "$1/testing.sh"

object_size()
{
    SHEEPDOG_ADDRESS=127.0.0.1 SHEEPDOG_PORT=$1 python3 "$cluster" object_size
}

eval "$("$sheepdog" start "$work/a" shift=20)"
first=$SHEEPDOG_PORT
[[ $(object_size "$first") == 1048576 ]] || fail 'it does not answer as it was told'
refused start "$work/a"

# Another directory has another server.
eval "$("$sheepdog" start "$work/b")"
[[ $(object_size "$SHEEPDOG_PORT") == 4194304 ]] || fail 'two servers are one'
kill -KILL "$SHEEPDOG_PID"
while [[ -e /proc/$SHEEPDOG_PID ]]; do sleep 0.05; done
refused stop "$work/b"
refused start "$work/b" nonsense=1

"$sheepdog" stop "$work/a"
refused stop "$work/a"
! object_size "$first" 2>/dev/null || fail 'it serves after its end'
refused start
refused restart "$work/a"
