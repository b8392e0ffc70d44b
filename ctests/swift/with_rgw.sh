#!/bin/bash
# Runs a program on the Swift API of the radosgw of a whole group of tests: with_rgw.sh DIR COMMAND...
# DIR is that of ctests/servers/ceph start. It has version 1 of authentication; the names are those that
# ctests/servers/swift assigns.
set -euo pipefail

directory=$1
shift
if [[ ! -e $directory/assignments ]]; then
    echo "skipped, because no radosgw runs in $directory"
    exit 77
fi
. "$directory/assignments"
export SWIFT_V1_URL=$SWIFT_AUTH_URL SWIFT_V1_USER=$SWIFT_USER SWIFT_V1_KEY=$SWIFT_KEY
export SWIFT_V1_STORAGE_URL=${SWIFT_AUTH_URL%/auth/v1.0}/swift/v1/AUTH_${SWIFT_USER%:*}
exec "$@"
