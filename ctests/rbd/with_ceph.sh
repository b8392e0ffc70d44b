#!/bin/bash
# Runs a program while a Ceph of its own serves: with_ceph.sh SERVERS COMMAND...
set -euo pipefail

servers=$1
shift
for tool in ceph-mon ceph-osd ceph rbd; do
    if ! PATH=$PATH:/usr/sbin command -v "$tool" >/dev/null; then
        echo "skipped, because $tool is not installed"
        exit 77
    fi
done
work=$(mktemp -d)
cleanup()
{
    [[ ! -e $work/ports ]] || "$servers/ceph" stop "$work" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

assignments=$("$servers/ceph" start "$work")
set -a
eval "$assignments"
export CEPH_DIR=$work CEPH_SCRIPT=$servers/ceph CEPH_TESTS=${BASH_SOURCE[0]%/*}
"$@"
