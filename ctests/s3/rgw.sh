#!/bin/bash
# Starts the radosgw of a group of tests from nothing, whatever an earlier run left, and ends it:
# rgw.sh SERVERS start|stop DIR
set -euo pipefail

ceph=$1/ceph
directory=$3
if [[ ! -x /usr/bin/radosgw ]]; then
    echo 'skipped, because radosgw is not installed'
    exit 77
fi
case $2 in
    start)
        "$ceph" stop "$directory" 2>/dev/null || true
        rm -rf "$directory"
        assignments=$("$ceph" start "$directory" radosgw)
        echo "$assignments" | tee "$directory/assignments"
        ;;
    stop)
        "$ceph" stop "$directory"
        rm -rf "$directory"
        ;;
esac
