#!/bin/bash
# The conformance suite in the bucket that with_s3.sh made: conformance.sh COMMAND...
# Parts have 5 MiB at least. Where that is too much, under GS_TEST_SMALL and for Swift's slower S3, images
# are stored at once; its parts are shown by other programs.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
large=1 unit=5242880
[[ -z ${GS_TEST_SMALL:-} && $S3_SERVER != swift && $1 != *_asan ]] || large=100 unit=65536
cat >"$work/glance.conf" <<CONFIG
[DEFAULT]
enabled_backends = objects:s3
[glance_store]
default_backend = objects
[objects]
s3_store_host = $S3_URL
s3_store_access_key = $S3_ACCESS_KEY
s3_store_secret_key = $S3_SECRET_KEY
s3_store_bucket = $S3_BUCKET
s3_store_large_object_size = $large
s3_store_large_object_chunk_size = 5
CONFIG
export GS_TEST_CONFIG=$work/glance.conf GS_TEST_STORE=objects GS_TEST_UNIT=$unit
export GS_TEST_LISTING="$S3_TOOL list $S3_BUCKET"
"$@"
