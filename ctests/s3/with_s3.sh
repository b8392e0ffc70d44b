#!/bin/bash
# Runs a program in front of an S3 server that a whole group of tests shares, with a bucket of its own:
# with_s3.sh rgw|swift DIR COMMAND...
# DIR is where ctests/servers/ceph or swift was started.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
server=$1 directory=$2
shift 2
if [[ ! -e $directory/assignments ]]; then
    echo "skipped, because no $server runs in $directory"
    exit 77
fi
set -a
. "$directory/assignments"
S3_SERVER=$server S3_REGION=us-east-1 S3_TOOL="python3 -S $here/s3.py"
case $server in
    rgw) S3_URL=$S3_ENDPOINT ;;
    swift)
        S3_URL=$SWIFT_S3_URL
        S3_ACCESS_KEY=$SWIFT_S3_KEYSTONE_ACCESS_KEY S3_SECRET_KEY=$SWIFT_S3_KEYSTONE_SECRET_KEY
        ;;
esac
S3_BUCKET="images-$$"
set +a

$S3_TOOL make "$S3_BUCKET"
trap '$S3_TOOL remove "$S3_BUCKET"' EXIT
"$@"
